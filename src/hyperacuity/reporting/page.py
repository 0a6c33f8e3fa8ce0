"""The HTML file of a report: one file, without foreign addresses or programs."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

from hyperacuity.reporting.thumbnails import Thumbnail
from hyperacuity.trust import CONSISTENT, DEPARTING, SIDE

_STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:16px/1.5 sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}"
    "h1{font-size:1.6rem;overflow-wrap:anywhere}"
    "h2{font-size:1.1rem;margin:1.6rem 0 .4rem}p{margin:.5rem 0;max-width:50rem}"
    ".said p:first-child{font-weight:bold}.said{border-left:4px solid #888;padding-left:1rem}"
    "th{text-align:left;vertical-align:top;padding-right:1rem;font-weight:normal;color:#555;max-width:20rem}"
    "td{overflow-wrap:anywhere;vertical-align:top}"
    ".bar{display:inline-block;height:.8em;background:#31688e;margin-right:.5em}"
    ".thumbnails{display:flex;flex-wrap:wrap;gap:1rem;align-items:flex-start}"
    "figure{margin:0;flex:1 1 18rem;max-width:30rem}img{width:100%;height:auto}.small{image-rendering:pixelated}"
    "figcaption{color:#555}"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}th,figcaption{color:#aaa}"
    ".bar{background:#6aa9d8}}"
)
# Images of fewer pixels on a side are shown larger than they are.
_SMALL = 300
Facts = list[tuple[str, str]]


def render_page(content: dict[str, Any], thumbnails: Sequence[Thumbnail]) -> str:
    """Return the page.

    Args:
        content: From `content.describe_result`.
        thumbnails: From `thumbnails.make_thumbnails`.
    """
    title = f"How far {content['output']['name']} can be believed"
    said = "".join(f"<p>{html.escape(sentence)}</p>" for sentence in content["sentences"])
    shown = "".join(map(_figure, thumbnails))
    parts = [
        ("Measurements", _measurements(content), _shares(content)),
        ("Files", _files(content), ""),
        ("How it was made", _making(content), ""),
    ]
    tables = "".join(f"<h2>{name}</h2><table>{_rows(facts)}{more}</table>" for name, facts, more in parts)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{html.escape(title)}</title>'
        f'<style>{_STYLE}</style><h1>{html.escape(title)}</h1><div class="said">{said}</div>'
        f"<h2>Images (reduced to {SIDE} pixels where they are larger)</h2>"
        f'<div class="thumbnails">{shown}</div>{tables}</html>\n'
    )


def _figure(shown: Thumbnail) -> str:
    small = ' class="small"' if max(shown.width, shown.height) < _SMALL else ""
    return (
        f'<figure><img{small} src="{shown.address}" alt="{html.escape(shown.alternative)}" width="{shown.width}" '
        f'height="{shown.height}"><figcaption>{html.escape(shown.caption)}</figcaption></figure>'
    )


def _rows(facts: Facts) -> str:
    return "".join(f"<tr><th>{html.escape(name)}</th><td>{html.escape(text)}</td></tr>" for name, text in facts)


def _measurements(content: dict[str, Any]) -> Facts:
    facts = []
    if content["measured"]:
        state, reason = content["measured"]["state"], content["measured"]["reason"]
        facts.append(("State of the input", state if reason == state else f"{state}: {reason}"))
    if content["lr_psnr"] is not None:
        meaning = f"{CONSISTENT:.0f} or more: as good as equal; below {DEPARTING:.0f}: clearly different"
        facts.append(("Agreement with the input (LR-PSNR)", f"{content['lr_psnr']:.1f} dB ({meaning})"))
    return facts


def _shares(content: dict[str, Any]) -> str:
    """Rows with a bar for each class of expected error."""
    shares = (content["expected_errors"] or {}).items()
    return "".join(
        f'<tr><th>Pixels by expected error: {html.escape(name)} grey levels</th><td><span class="bar" '
        f'style="width:{12 * share:.2f}rem"></span>{share:.1%}</td></tr>'
        for name, share in shares
    )


def _files(content: dict[str, Any]) -> Facts:
    facts = []
    for key, title in (("input", "Input"), ("output", "Result")):
        part = content[key]
        facts.append((title, f"{part['name']}, {part['size'][0]} x {part['size'][1]} pixels"))
        facts.append((f"{title}, SHA-256", part["sha256"]))
    facts.extend((part["name"], f"SHA-256 {part['sha256']}") for part in content["samples"])
    return facts


def _making(content: dict[str, Any]) -> Facts:
    facts = [("Software", content["software"]), ("Time", content["made"])]
    for model in content["models"]:
        invents = "; invents detail" if model["invents_detail"] else ""
        facts.append(("Model", f"{model['name']}{invents} (licence: {model['licence']})"))
        facts.append(("Trained on", model["trained_on"]))
        if model["sha256"]:
            facts.append(("Weights, SHA-256", model["sha256"]))
    facts.extend(("Option " + name.replace("_", " "), str(value)) for name, value in content["options"].items())
    return facts
