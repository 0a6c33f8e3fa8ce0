"""The recipe reference, from the JSON schema that also completes recipes in an editor.

What a key means comes from the description of its table ("lr: the highest learning rate.") or from the comment behind
its field in the source.
"""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

Meanings = dict[str, str]


def write(schema: Path, source: Path, target: Path) -> None:
    """Write the top level of a recipe, then one section for each table in it.

    Args:
        schema: The JSON schema.
        source: The folder of the trainer, whose records the schema describes.
        target: The page.
    """
    content = json.loads(schema.read_text(encoding="utf-8"))
    comments = _comments(source)
    tables = {"Losses": content["properties"]["losses"], **content.get("$defs", {})}
    content["properties"]["losses"] = {"$ref": "#/$defs/Losses"}
    parts = [
        "# Recipe reference\n",
        "A recipe is one TOML file. An unknown key is an error that names the nearest known one. Generated from\n"
        "[recipes/schema.json](../../recipes/schema.json), which `hyperacuity train --schema` prints.\n",
        "## The whole recipe\n",
        _fields(content, comments["Recipe"]),
    ]
    for name, table in tables.items():
        text, meanings = _split(table.get("description", ""), list(table.get("properties", {})))
        meanings = comments.get(name, {}) | meanings
        parts += [f"({_anchor(name)})=\n## {name}\n", f"{text}\n", _fields(table, meanings)]
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("\n".join(parts), encoding="utf-8")


def _comments(source: Path) -> dict[str, Meanings]:
    """The comments behind fields, by class; and what each loss is, by the first line of its module."""
    found: dict[str, Meanings] = {"Losses": {}}
    for path in sorted(source.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        lines, tree = text.splitlines(), ast.parse(text)
        if path.parent.name == "losses":
            found["Losses"][path.stem] = (ast.get_docstring(tree) or "").partition("\n")[0]
        for record in (node for node in tree.body if isinstance(node, ast.ClassDef)):
            for field in (node for node in record.body if isinstance(node, ast.AnnAssign)):
                comment = lines[(field.end_lineno or 1) - 1][field.end_col_offset or 0 :].strip()
                if comment.startswith("# ") and isinstance(field.target, ast.Name):
                    found.setdefault(record.name, {})[field.target.id] = comment[2:]
    return found


def _split(description: str, names: list[str]) -> tuple[str, Meanings]:
    """A table's description without its "key: meaning" sentences, and these by key."""
    text = " ".join(description.split())
    key = "|".join(map(re.escape, names)) or "(?!)"
    text, found, rest = text.partition("Source: ")
    pieces = re.split(rf"(?:^|(?<=[.:;] ))((?:{key})(?:, (?:{key}))*): ", text)
    meanings = {
        name: meaning.strip().rstrip(";")
        for several, meaning in zip(pieces[1::2], pieces[2::2], strict=True)
        for name in several.split(", ")
    }
    return f"{pieces[0].strip()} {found}{rest}".strip(), meanings


def _fields(table: dict[str, Any], meanings: Meanings) -> str:
    if not table.get("properties"):
        return ""
    required = set(table.get("required", []))
    explained = any(name in meanings for name in table["properties"])
    head = "| key | value | default |" + (" meaning |" if explained else "")
    lines = [head, "|---|---|---|" + ("---|" if explained else "")]
    for name, field in table["properties"].items():
        default = "required" if name in required else _default(field)
        meaning = f" {_sentence(meanings.get(name, ''))} |" if explained else ""
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
    kind = str(field.get("type", "any")).replace("object", "table")
    if kind == "array":
        items = field.get("prefixItems") or [field.get("items", {})]
        kinds = list(dict.fromkeys(_kind(each) for each in items))
        count = f" of {len(items)}" if "prefixItems" in field else ""
        return f"list{count}: {', '.join(kinds)}"
    words = {"exclusiveMinimum": "over", "minimum": "from", "exclusiveMaximum": "under", "maximum": "to"}
    limits = " ".join(f"{word} {field[key]}" for key, word in words.items() if key in field)
    return f"{kind} {limits}".strip()


def _anchor(name: str) -> str:
    return f"recipe-{name.lower()}"


def _sentence(text: str) -> str:
    text = " ".join(text.split()).replace("|", "\\|")
    return f"{text[0].upper()}{text[1:].rstrip('.')}." if text else ""
