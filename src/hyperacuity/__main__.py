"""`python -m hyperacuity`, for systems where the command is not on the path."""

from __future__ import annotations

from hyperacuity.cli import main

main()
