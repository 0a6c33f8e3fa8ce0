"""The page in a browser. Needs Playwright and Chromium; skipped where they are missing."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.conftest import Users, png
from tests.server.running import Server

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
# A folder for screenshots, which people look at.
SCREENSHOTS = os.environ.get("HYPERACUITY_SCREENSHOTS", "")
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=_ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens pages, and checks afterwards that they were quiet and asked no other host."""
    contexts, faults = [], []

    def start(server: Server, **options: Any) -> Any:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        host = server.address.split("/")[2]
        page.on("console", lambda message: faults.extend([message.text] * (message.type == "error")))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda request: faults.extend([request.url] * (host not in request.url[:60])))
        page.goto(server.address)
        return page

    yield start
    for context in contexts:
        context.close()
    assert [
        fault for fault in faults if not re.search("401|blob:|ERR_CONNECTION|ERR_INCOMPLETE|ERR_EMPTY", fault)
    ] == []


def picture(page: Any, name: str) -> None:
    if SCREENSHOTS:
        page.screenshot(path=str(Path(SCREENSHOTS) / f"{name}.png"), full_page=True)


def until(page: Any, expression: str) -> None:
    """Wait for a condition; the page's policy forbids the function of that name, which evaluates in the page."""
    end = time.monotonic() + 30
    while not page.evaluate(expression):
        assert time.monotonic() < end, expression
        time.sleep(0.05)


def choose(page: Any, *files: tuple[str, bytes]) -> None:
    page.set_input_files(
        "#files", [{"name": name, "mimeType": "image/png", "buffer": content} for name, content in files]
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [900, 320])
def test_a_photo_goes_in_and_its_result_comes_out(
    open_page: Callable[..., Any], server: Server, tmp_path: Path, scheme: str, width: int
) -> None:
    page = open_page(server, color_scheme=scheme, viewport={"width": width, "height": 800})
    page.wait_for_selector("#start:visible")
    name = f"{scheme}-{width}.png"
    choose(page, (name, png(180, 240)), ("a-long-name-of-another-file-" * 3 + ".png", png(30, 40)))
    until(page, "document.querySelector('#chosen-list .quiet').textContent.includes('480 × 360')")
    picture(page, f"chosen-{scheme}-{width}")
    page.get_by_role("button", name="Remove: a-long").click()
    page.get_by_role("button", name="Start", exact=True).click()
    item = page.locator(f'#job-list li[data-state="done"]:has-text("{name}")')
    item.wait_for(timeout=60_000)
    with page.expect_download() as download:
        item.get_by_role("link", name=f"Download {scheme}-{width}-x2.png").click()
    download.value.save_as(tmp_path / "got.png")
    with server.client() as client:
        job = next(job for job in client.get("jobs").json()["jobs"] if job["name"] == name)
        assert (tmp_path / "got.png").read_bytes() == client.get(job["result"]).content
    item.get_by_role("button", name="Compare").click()
    slider = item.get_by_role("slider", name="Before and after")
    slider.focus()
    for _ in range(5):
        page.keyboard.press("ArrowLeft")
    images = item.locator(".images")
    assert images.evaluate("each => each.style.getPropertyValue('--split')") == "45%"
    box = images.bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.75, box["y"] + box["height"] / 2)
    assert 73 <= float(slider.input_value()) <= 77
    picture(page, f"compared-{scheme}-{width}")
    item.get_by_role("button", name="Show at 1:1").click()
    assert item.locator(".after").evaluate("each => each.width") == 480
    picture(page, f"full-{scheme}-{width}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    item.get_by_role("button", name=f"Remove: {name}").click()
    item.wait_for(state="detached")


def test_many_files_and_one_archive(open_page: Callable[..., Any], server: Server) -> None:
    page = open_page(server)
    choose(page, *((f"many{n}.png", png(40, 40, n)) for n in range(9)), ("bad.png", b"<html>"))
    page.get_by_role("button", name="Start", exact=True).click()
    for n in range(9):
        page.locator(f'li[data-state="done"]:has-text("many{n}.png")').wait_for(timeout=60_000)
    assert "HTML" in page.locator('li[data-state="failed"]:has-text("bad.png")').inner_text()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download all").click()
    assert download.value.suggested_filename == "hyperacuity.zip"
    picture(page, "many")


def test_focus_stays_while_a_job_changes(open_page: Callable[..., Any], server: Server) -> None:
    page = open_page(server)
    choose(page, ("focus.png", png(700, 900)))
    page.get_by_role("button", name="Start", exact=True).click()
    cancel = page.get_by_role("button", name="Cancel: focus.png")
    page.locator("li[data-state]:has-text('focus.png')").wait_for()
    cancel.focus()
    picture(page, "running")
    page.locator('li[data-state="done"]:has-text("focus.png")').wait_for(timeout=60_000)
    assert page.evaluate("document.activeElement.closest('li').textContent").startswith("focus.png")


def test_an_upload_resumes_after_a_reload(open_page: Callable[..., Any], server: Server, tmp_path: Path) -> None:
    page = open_page(server)
    path = tmp_path / "large.bin"
    path.write_bytes(b"no image " * 1_000_000)  # more than one part
    held: list[Any] = []
    offsets: list[int] = []

    def hold(route: Any) -> None:
        second = route.request.method == "PATCH" and route.request.headers["upload-offset"] != "0"
        held.append(route) if second else route.continue_()

    def send() -> None:
        page.set_input_files("#files", str(path))
        page.get_by_role("button", name="Start", exact=True).click()

    page.route("**/v1/uploads/*", hold)
    send()
    until(page, "document.querySelector('#job-list progress')?.value > 0.5")
    page.reload()
    item = page.locator("li[data-interrupted]:has-text('large.bin')")
    assert "Interrupted at 93 %. Choose the file again to resume." in item.inner_text()
    picture(page, "interrupted")
    page.unroute_all(behavior="ignoreErrors")
    page.on("request", lambda r: offsets.extend(int(r.headers["upload-offset"]) for _ in range(r.method == "PATCH")))
    send()
    page.locator('li[data-state="failed"]:has-text("large.bin")').wait_for(timeout=60_000)
    assert offsets == [8 * 2**20]
    assert item.count() == 0


def test_the_page_survives_a_restart_of_the_server(open_page: Callable[..., Any], tmp_path: Path) -> None:
    server = Server(tmp_path / "data")
    port = server.address.split(":")[2].strip("/")
    try:
        page = open_page(server)
        choose(page, ("restart.png", png(900, 1200)))
        page.get_by_role("button", name="Start", exact=True).click()
        page.locator("li[data-state]:has-text('restart.png')").wait_for()
        server.kill()
        server._arguments += ["--port", port]
        server.start()
        page.locator('li[data-state="done"]:has-text("restart.png")').wait_for(timeout=60_000)
    finally:
        server.stop()


def test_users_log_in_and_see_their_own(open_page: Callable[..., Any], strict: Users) -> None:
    page = open_page(strict.server)
    page.wait_for_selector("#log-in:visible")
    picture(page, "log-in")
    page.fill("[name=name]", "bob")
    page.fill("[name=password]", "wrong password")
    page.click("#log-in button")
    until(page, "document.querySelector('#log-in .error').textContent.includes('wrong')")
    page.fill("[name=password]", "password of bob")
    page.click("#log-in button")
    page.wait_for_selector("#start:visible")
    job = strict.ada.job(png(), "of-ada.png")["id"]
    strict.ada.ended(job)
    page.reload()
    page.wait_for_selector("#start:visible")
    assert "of-ada" not in page.content()
    strict.ada.delete(f"jobs/{job}")
