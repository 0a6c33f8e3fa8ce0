"""How Sphinx builds the site: `make docs` writes it to build/site."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT / "src"), str(HERE)]

from generate import commands, links, python_api, recipes, results  # noqa: E402

import hyperacuity  # noqa: E402

project = "Hyperacuity"
author = "The Hyperacuity authors"
copyright = "2026, the Hyperacuity authors. Apache-2.0"
version = release = hyperacuity.__version__

extensions = ["myst_parser"]
# Formulas are written in words: no page needs MathJax, which would come from another host.
myst_links_external_new_tab = False
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["generate"]
nitpicky = False
# A lexer that cannot read a block is a mistake of the page; a link that leads nowhere is one as well.
suppress_warnings: list[str] = []

html_theme = "furo"
html_title = f"Hyperacuity {version}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
html_show_sourcelink = False
# Furo loads nothing from other hosts; `links.check` fails the build if any page ever does.
html_theme_options = {"top_of_page_buttons": []}


def setup(app):  # type: ignore[no-untyped-def]
    """Write the generated pages before Sphinx looks for pages, and check the built ones."""
    target = HERE / "generated"
    python_api.write(ROOT / "src", target / "python")
    commands.write(target / "commands.md")
    recipes.write(ROOT / "recipes" / "schema.json", ROOT / "src" / "hyperacuity" / "train", target / "recipes.md")
    results.register(app, ROOT)
    app.connect("build-finished", links.check)
    return {"parallel_read_safe": True}
