"""The Python reference: one page for each module or package, read from the source without importing it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import griffe

PACKAGE = "hyperacuity"
# Programs, not libraries: the command line has a page of its own.
PROGRAMS = {"cli", "__main__"}


def write(source: Path, target: Path) -> None:
    """Write index.md, with the public names, and one page for each top-level module."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    package = griffe.load(
        PACKAGE,
        search_paths=[source],
        docstring_parser="google",
        # Types stand in signatures; one entry may explain several parameters: "width, height: ...".
        docstring_options={"warn_unknown_params": False, "warn_missing_types": False},
        allow_inspection=False,
    )
    assert isinstance(package, griffe.Module)
    modules = {name: module for name, module in _submodules(package).items() if name not in PROGRAMS}
    for name, module in modules.items():
        (target / f"{name}.md").write_text(_module_page(module), encoding="utf-8")
    (target / "index.md").write_text(_index(package, modules), encoding="utf-8")


def _submodules(package: griffe.Module) -> dict[str, griffe.Module]:
    """The files of a package, by name; not the modules that it imports."""
    return {
        name: each
        for name, each in sorted(package.members.items())
        if isinstance(each, griffe.Module) and not name.startswith("_")
    }


def _index(package: griffe.Module, modules: dict[str, griffe.Module]) -> str:
    """The names of `import hyperacuity` in full, then the list of modules."""
    exported = [package.members[name] for name in sorted(package.exports or []) if name in package.members]
    objects = [each.final_target if isinstance(each, griffe.Alias) else each for each in exported]
    parts = ["# Python reference\n", "## The public names\n", "`import hyperacuity` gives these names:\n"]
    for kind in (griffe.Function, griffe.Class):
        for each in objects:
            if isinstance(each, kind):
                parts.append(_object(each, f"{PACKAGE}.{each.name}", level=3))
    parts += ["## All modules\n", "| module | contents |", "|---|---|"]
    parts += [f"| [`{PACKAGE}.{name}`]({name}.md) | {_summary(module)} |" for name, module in modules.items()]
    parts += ["", "```{toctree}", ":hidden:", "", *modules, "```"]
    return "\n".join(parts) + "\n"


def _module_page(module: griffe.Module) -> str:
    return f"# {module.path}\n\n{_module(module, level=2)}"


def _module(module: griffe.Module, level: int) -> str:
    """A module's docstring, its public objects, then its submodules."""
    parts = [_docstring(module)]
    parts += [_object(each, each.name, level) for each in _public(module)]
    for child in _submodules(module).values():
        parts += [f"{'#' * level} {child.path}\n", _module(child, level + 1)]
    return "\n".join(part for part in parts if part)


def _public(owner: griffe.Object) -> list[griffe.Function | griffe.Class]:
    """Functions and classes defined here, with a docstring, in the order of the source."""
    return [
        each
        for each in owner.members.values()
        if isinstance(each, griffe.Function | griffe.Class) and each.docstring and not each.name.startswith("_")
    ]


def _object(each: griffe.Function | griffe.Class, name: str, level: int) -> str:
    """A heading, the signature, the docstring, and a class's methods."""
    parts = [f"{'#' * min(level, 6)} `{name}`\n"]
    if each.is_class and any("Error" in str(base) or "Warning" in str(base) for base in each.bases):
        bases = ", ".join(f"`{base}`" for base in each.bases)
        parts.append(f"*Derives from* {bases}.\n")
    else:
        parts.append(f"```python\n{_signature(each)}\n```\n")
    parts.append(_docstring(each))
    if isinstance(each, griffe.Class):
        for method in _public(each):
            parts.append(f"{'#' * min(level + 1, 6)} `{each.name}.{method.name}`\n")
            if isinstance(method, griffe.Function):
                parts.append(f"```python\n{_signature(method)}\n```\n")
            parts.append(_docstring(method))
    return "\n".join(part for part in parts if part)


def _signature(each: griffe.Function | griffe.Class) -> str:
    """As one would write it, a line for each parameter where it is long."""
    if isinstance(each, griffe.Class):
        parameters = [parameter for parameter in each.parameters if parameter.name != "self"]
    else:
        parameters = [parameter for parameter in each.parameters if parameter.name not in ("self", "cls")]
    words = []
    keyword_only = False
    for parameter in parameters:
        if parameter.kind is griffe.ParameterKind.keyword_only and not keyword_only:
            words.append("*")
        keyword_only = keyword_only or parameter.kind in (
            griffe.ParameterKind.keyword_only,
            griffe.ParameterKind.var_positional,
        )
        star = {griffe.ParameterKind.var_positional: "*", griffe.ParameterKind.var_keyword: "**"}.get(
            parameter.kind or griffe.ParameterKind.positional_or_keyword, ""
        )
        annotation = f": {parameter.annotation}" if parameter.annotation else ""
        default = f" = {parameter.default}" if parameter.default is not None and not star else ""
        words.append(f"{star}{parameter.name}{annotation}{default if annotation else default.replace(' ', '')}")
    returns = f" -> {each.returns}" if isinstance(each, griffe.Function) and each.returns else ""
    line = f"{each.name}({', '.join(words)}){returns}"
    if len(line) <= 88:
        return line
    return f"{each.name}(\n" + "".join(f"    {word},\n" for word in words) + f"){returns}"


def _summary(each: griffe.Object) -> str:
    """The first sentence of a docstring, for one cell of a table."""
    text = each.docstring.value if each.docstring else ""
    return re.split(r"(?<=[.:])\s|\n\n", text.strip())[0].replace("\n", " ").replace("|", "\\|").rstrip(":")


def _docstring(each: griffe.Object) -> str:
    """Google style as Markdown; docstrings of this project are Markdown within their sections."""
    if each.docstring is None:
        return ""
    parts = []
    for section in each.docstring.parsed:
        kind, value = section.kind, section.value
        if kind is griffe.DocstringSectionKind.text:
            parts.append(_markdown(value))
        elif kind is griffe.DocstringSectionKind.examples:
            parts.append("**Example**\n")
            parts += [f"```python\n{text}\n```" if what != "text" else _markdown(text) for what, text in value]
        elif kind is griffe.DocstringSectionKind.admonition and ">>> " in value.description:
            code = re.sub(r" +# doctest: .*", "", value.description)
            parts.append(f"**{section.title}**\n\n```pycon\n{code}\n```")
        elif kind is griffe.DocstringSectionKind.admonition:
            parts.append(f"**{section.title}** {' '.join(value.description.split())}")
        elif isinstance(value, list):
            parts.append(f"**{kind.value.capitalize()}**\n")
            parts.append("\n".join(_item(item) for item in value))
        else:
            parts.append(_markdown(str(value)))
    return "\n\n".join(parts) + "\n"


def _item(item: griffe.DocstringElement) -> str:
    name = getattr(item, "name", "") or (str(item.annotation) if item.annotation else "")
    text = " ".join(item.description.split())
    return f"- `{name}`: {text}" if name else f"- {text}"


def _markdown(text: str) -> str:
    """Keep indented blocks as code, and let no line be taken for a heading or a directive."""
    lines = [re.sub(r"^(#|:::)", r"\\\1", line) for line in text.splitlines()]
    return "\n".join(lines)
