"""The recipe reference, from the JSON schema that also completes recipes in an editor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def write(schema: Path, target: Path) -> None:
    """Write the top level of a recipe, then one section for each table in it."""
    content = json.loads(schema.read_text(encoding="utf-8"))
    tables = content.get("$defs", {})
    parts = [
        "# Recipe reference\n",
        "A recipe is one TOML file. An unknown key is an error that names the nearest known one. Generated from\n"
        "[recipes/schema.json](../../recipes/schema.json), which `hyperacuity train --schema` prints.\n",
        "## The whole recipe\n",
        _fields(content),
    ]
    for name, table in tables.items():
        parts += [f"({_anchor(name)})=\n## {name}\n", _text(table), _fields(table)]
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("\n".join(parts), encoding="utf-8")


def _text(table: dict[str, Any]) -> str:
    return table.get("description", "").strip() + "\n"


def _fields(table: dict[str, Any]) -> str:
    if not table.get("properties"):
        return ""
    required = set(table.get("required", []))
    described = any("description" in field for field in table["properties"].values())
    head = "| key | value | default |" + (" meaning |" if described else "")
    lines = [head, "|---|---|---|" + ("---|" if described else "")]
    for name, field in table["properties"].items():
        default = "required" if name in required else _default(field)
        meaning = f" {_escape(field.get('description', ''))} |" if described else ""
        lines.append(f"| `{name}` | {_kind(field)} | {default} |{meaning}")
    return "\n".join(lines) + "\n"


def _default(field: dict[str, Any]) -> str:
    if "default" not in field or (isinstance(field["default"], dict) and field["default"]):
        return "see its table" if "default" in field else ""
    value = field["default"]
    return "none" if value is None else f"`{json.dumps(value)}`"


def _kind(field: dict[str, Any]) -> str:
    """What may stand there: a table, a choice of words, a number with its range."""
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"[{name}](#{_anchor(name)})"
    for key in ("oneOf", "anyOf"):
        if key in field:
            return " or ".join(dict.fromkeys(_kind(each) for each in field[key] if each.get("type") != "null"))
    if "enum" in field:
        return ", ".join(f"`{each}`" for each in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    kind = str(field.get("type", "any"))
    if kind == "array":
        items = field.get("prefixItems") or [field.get("items", {})]
        kinds = list(dict.fromkeys(_kind(each) for each in items))
        count = f"{len(items)} of " if "prefixItems" in field else ""
        return f"list: {count}{', '.join(kinds)}"
    words = {"exclusiveMinimum": "over", "minimum": "from", "exclusiveMaximum": "under", "maximum": "to"}
    limits = " ".join(f"{word} {field[key]}" for key, word in words.items() if key in field)
    return f"{kind} {limits}".strip()


def _anchor(name: str) -> str:
    return f"recipe-{name.lower()}"


def _escape(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
