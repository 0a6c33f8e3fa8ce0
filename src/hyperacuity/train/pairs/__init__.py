"""Stored pairs to learn from: LR, a teacher's result for it, the truth and the kind of degradation.

`settings` is what a recipe says about them, `making` makes and stores them, of parts of images and of pages of text
(`pages`), `stored` draws batches of them, `kinds` measures a network on those of validation.
"""

from __future__ import annotations
