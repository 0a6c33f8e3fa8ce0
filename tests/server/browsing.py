"""A browser for tests of the page, and what they watch for in it."""

from __future__ import annotations

import base64
import contextlib
import importlib.resources
import io
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.server.running import Server

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
# A folder for screenshots, which people look at.
SCREENSHOTS = os.environ.get("HYPERACUITY_SCREENSHOTS", "")
# Seconds; only faults let a test wait so long.
PATIENCE = 300.0
_EXAMPLE = Path(__file__).parents[2] / "examples" / "astronaut.png"
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextlib.contextmanager
def open_browser() -> Iterator[Any]:
    """Start Chromium; skips the test where it or Playwright is missing."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs Playwright, of the extra dev")
    if CHROMIUM is None:
        pytest.skip("needs Chromium (Debian: chromium)")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=_ARGUMENTS, timeout=1000 * PATIENCE)
        yield opened
        opened.close()


class Visitor:
    """Opens pages, and knows what went wrong in them.

    Args:
        browser: From `open_browser`.
    """

    def __init__(self, browser: Any) -> None:
        self._browser, self._contexts, self._faults = browser, list[Any](), list[str]()
        self.allowed = "nothing is allowed"

    def visit(self, server: Server, address: str = "", **options: Any) -> Any:
        """Open the page of a server, as a visitor of its own."""
        context = self._browser.new_context(**options)
        context.set_default_timeout(1000 * PATIENCE)
        self._contexts.append(context)
        page = context.new_page()
        address = address or server.address
        origin = "/".join(address.split("/")[:3]) + "/"

        def requested(request: Any) -> None:
            if not request.url.startswith((origin, "blob:")):
                self._faults.append(f"asked another host: {request.url}")

        page.on("console", lambda message: self._faults.extend([message.text] * (message.type == "error")))
        page.on("pageerror", lambda error: self._faults.append(str(error)))
        page.on("request", requested)
        page.goto(address)
        return page

    def close(self) -> None:
        """Close all pages and check that they were quiet."""
        for context in self._contexts:
            context.close()
        assert [fault for fault in self._faults if not re.search(self.allowed, fault)] == []


def screenshot(page: Any, name: str, *looks: tuple[str, int]) -> None:
    """Keep how a page looks, in colour schemes and widths, and check that nothing is wider than the window."""
    size = page.viewport_size
    for scheme, width in looks:
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, (name, width)
        if SCREENSHOTS:
            page.screenshot(path=str(Path(SCREENSHOTS) / f"{name}-{scheme}-{width}.png"), full_page=True)
    page.emulate_media(color_scheme=None)
    page.set_viewport_size(size)


ALL_LOOKS = (("light", 1000), ("dark", 1000), ("light", 320), ("dark", 320))


def check_accessible(page: Any) -> None:
    """Check the page as it is now by axe-core, in light and dark."""
    pytest.importorskip("axe_playwright_python", reason="needs axe-core, of the extra dev")
    script = (importlib.resources.files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.evaluate(script)
        found = page.evaluate("axe.run()")
        broken = [(each["id"], [node["html"] for node in each["nodes"]]) for each in found["violations"]]
        assert broken == [], scheme
        assert len(found["passes"]) > 10
    page.emulate_media(color_scheme=None)


def until(page: Any, expression: str) -> None:
    """Wait for a condition; the page's policy forbids Playwright's own function for that, which evaluates text."""
    end = time.monotonic() + PATIENCE
    while not page.evaluate(expression):
        assert time.monotonic() < end, expression
        time.sleep(0.05)


def choose(page: Any, *files: tuple[str, bytes], kind: str = "image/png") -> None:
    """Choose files as by the button."""
    page.set_input_files("#files", [{"name": name, "mimeType": kind, "buffer": content} for name, content in files])


def begin(page: Any) -> None:
    """Start what was chosen."""
    page.get_by_role("button", name="Start", exact=True).click()


def transfer(page: Any, name: str, content: bytes, kind: str = "image/png") -> Any:
    """Return a DataTransfer with a file, as a drop or a paste has it."""
    return page.evaluate_handle(
        """([text, name, type]) => {
            const data = new DataTransfer();
            data.items.add(new File([Uint8Array.from(atob(text), (each) => each.charCodeAt(0))], name, { type }));
            return data;
        }""",
        [base64.b64encode(content).decode(), name, kind],
    )


def item(page: Any, name: str, state: str = "") -> Any:
    """The list item of a job."""
    selector = f'[data-state="{state}"]' if state else "[data-state]"
    return page.locator(f'#job-list li{selector}:has-text("{name}")')


def photo(height: int, width: int) -> bytes:
    """A part of the example as PNG."""
    content = io.BytesIO()
    with Image.open(_EXAMPLE) as image:
        image.convert("RGB").crop((100, 20, 100 + width, 20 + height)).save(content, "PNG")
    return content.getvalue()
