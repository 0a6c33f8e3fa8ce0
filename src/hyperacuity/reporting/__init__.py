"""A report about one result for people who must decide whether to believe it: one JSON file, or one HTML file.

content     everything that a report says, as data
sentences   what the measurements mean, in plain English
thumbnails  input, result and error map, reduced, as PNG
page        the HTML file
"""

from __future__ import annotations

from hyperacuity.reporting.content import describe_result, write_report

__all__ = ["describe_result", "write_report"]
