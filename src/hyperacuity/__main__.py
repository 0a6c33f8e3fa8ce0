"""`python -m hyperacuity`, for where the command is not on the path."""

from __future__ import annotations

from hyperacuity.cli import main

main()
