"""The directive `results`: a table whose figures are those of a CSV in benchmarks/results.

    ```{results} quality.csv
    :columns: set, scale, psnr = PSNR, ssim = SSIM
    :where: model = acute-100k
    ```

`columns` may name only some columns of the file and give each a heading; `where` keeps rows whose value is one of
several, split by `/`. Commit and date of the measurement, where the file has them, stand below the table.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

REQUIRED = directives.unchanged_required


class Results(SphinxDirective):
    """A table from a CSV file."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {"columns": REQUIRED, "where": REQUIRED}
    folder: ClassVar[Path]

    def run(self) -> list[nodes.Node]:
        """Read the file and hand a Markdown table to the parser of the page."""
        path = self.folder / self.arguments[0]
        self.env.note_dependency(str(path))
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        for condition in filter(None, self.options.get("where", "").split(",")):
            column, _, values = condition.partition("=")
            allowed = {value.strip() for value in values.split("/")}
            rows = [row for row in rows if row[column.strip()] in allowed]
        if not rows:
            raise self.error(f"{path.name} has no row for {self.options['where']!r}")
        columns = dict(self._columns())
        lines = [f"| {' | '.join(columns.values())} |", "|---" * len(columns) + "|"]
        lines += [f"| {' | '.join(row[column] for column in columns)} |" for row in rows]
        lines += ["", self._source(path, rows)]
        return self.parse_text_to_nodes("\n".join(lines))

    def _columns(self) -> list[tuple[str, str]]:
        pairs = []
        for entry in self.options["columns"].split(","):
            column, _, heading = entry.partition("=")
            pairs.append((column.strip(), (heading or column).strip()))
        return pairs

    def _source(self, path: Path, rows: list[dict[str, str]]) -> str:
        page = Path(self.env.doc2path(self.env.docname)).parent
        link = f"[benchmarks/results/{path.name}]({os.path.relpath(path, page)})"
        if "commit" not in rows[0]:
            return f"*Source: {link}.*"
        parts = {f"{row['machine']}, commit {row['commit']}, {row['date']}" for row in rows}
        return f"*Source: {link}; {'; '.join(sorted(parts))}.*"


def register(app: Sphinx, root: Path) -> None:
    """Make the directive known."""
    Results.folder = root / "benchmarks" / "results"
    app.add_directive("results", Results)
