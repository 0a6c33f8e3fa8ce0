"""The page in a browser. Needs Playwright and Chromium; skipped where they are missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli import process
from tests.server.browsing import (
    ALL_LOOKS,
    Visitor,
    begin,
    check_accessible,
    choose,
    item,
    open_browser,
    photo,
    screenshot,
    transfer,
    until,
)
from tests.server.conftest import Users, png
from tests.server.nginx import proxying
from tests.server.running import Server, check_problem
from tests.video.videos import make, moving_frames

# What Chromium reports of requests to a server that was killed.
_LOST = "ERR_CONNECTION|ERR_INCOMPLETE|ERR_EMPTY|ERR_SOCKET|ERR_ABORTED"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with open_browser() as opened:
        yield opened


@pytest.fixture
def visitor(browser: Any) -> Iterator[Visitor]:
    """Opens pages, and checks afterwards that they were quiet and asked no other host."""
    made = Visitor(browser)
    yield made
    made.close()


def download(page: Any, where: Any, path: Path) -> bytes:
    with page.expect_download() as started:
        where.get_by_role("link", name="Download").click()
    started.value.save_as(path)
    return path.read_bytes()


def test_a_dropped_photo_comes_back_as_the_file_of_the_command(
    visitor: Visitor, server: Server, tmp_path: Path
) -> None:
    content = photo(180, 240)
    (tmp_path / "dropped.png").write_bytes(content)
    process.run("upscale", "dropped.png", "-s", "2", "-o", "wanted.png", folder=tmp_path)
    page = visitor.visit(server)
    page.wait_for_selector("#start:visible")
    screenshot(page, "start", *ALL_LOOKS)
    check_accessible(page)
    files = transfer(page, "dropped.png", content)
    page.dispatch_event("#drop", "dragover", {"dataTransfer": files})
    assert page.evaluate("document.body.classList.contains('over')")
    page.dispatch_event("#drop", "drop", {"dataTransfer": files})
    assert not page.evaluate("document.body.classList.contains('over')")
    until(page, "document.querySelector('#chosen-list .quiet')?.textContent.includes('240 × 180 → 480 × 360')")
    until(page, "document.querySelector('#sum').textContent.includes('1 file')")
    begin(page)
    done = item(page, "dropped.png", "done")
    done.wait_for()
    assert download(page, done, tmp_path / "got.png") == (tmp_path / "wanted.png").read_bytes()
    done.get_by_role("button", name="Remove: dropped.png").click()
    done.wait_for(state="detached")


def test_the_slider_moves_by_keys_mouse_and_touch(visitor: Visitor, server: Server) -> None:
    page = visitor.visit(server, has_touch=True, viewport={"width": 900, "height": 1000})
    page.wait_for_selector("#start:visible")
    choose(page, ("slider.png", photo(180, 240)))
    begin(page)
    done = item(page, "slider.png", "done")
    done.wait_for()
    done.get_by_role("button", name="Compare").click()
    slider = done.get_by_role("slider", name="Before and after")
    until(page, "[...document.querySelectorAll('.pair img')].every((each) => each.naturalWidth === 480)")
    slider.focus()
    for _ in range(5):
        page.keyboard.press("ArrowLeft")
    pair = done.locator(".pair")
    split = "each => each.style.getPropertyValue('--split')"
    assert (slider.input_value(), pair.evaluate(split)) == ("45", "45%")
    pair.scroll_into_view_if_needed()
    box = pair.bounding_box()
    x = [box["x"] + box["width"] * share for share in (0.25, 0.5, 0.75)]
    y = box["y"] + box["height"] / 2
    page.mouse.move(x[0], y)
    page.mouse.down()
    assert 24 <= float(slider.input_value()) <= 26
    page.mouse.move(x[2], y)
    page.mouse.up()
    assert 74 <= float(slider.input_value()) <= 76
    page.mouse.move(x[0], y)  # without the button
    assert 74 <= float(slider.input_value()) <= 76
    touch = page.context.new_cdp_session(page)
    for kind, points in (("Start", x[:1]), ("Move", x[1:2]), ("End", [])):
        where = [{"x": each, "y": y} for each in points]
        touch.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": where})
    until(page, "Math.abs(document.querySelector('.comparison input').value - 50) <= 1")
    screenshot(page, "compared", *ALL_LOOKS)
    check_accessible(page)
    done.get_by_role("button", name="Show at 1:1").click()
    assert [done.locator(f".{name}").evaluate("each => each.width") for name in ("before", "after")] == [480, 480]
    screenshot(page, "full", ("light", 320))
    check_accessible(page)
    done.get_by_role("button", name="Fit to the page").click()
    done.get_by_role("button", name="Hide").click()
    assert done.locator(".comparison").count() == 0


def test_progress_of_a_video_moves_and_the_focus_stays(visitor: Visitor, server: Server, tmp_path: Path) -> None:
    source = make(tmp_path / "film.mp4", moving_frames(800), codec="mpeg4")
    page = visitor.visit(server)
    page.wait_for_selector("#start:visible")
    choose(page, ("film.mp4", source.read_bytes()), kind="video/mp4")
    page.evaluate(
        """() => {
            window.seen = new Set();
            setInterval(() => window.seen.add(document.querySelector('#job-list progress')?.value), 20);
        }"""
    )
    begin(page)
    page.get_by_role("button", name="Cancel: film.mp4").wait_for()
    item(page, "film.mp4").wait_for()
    page.get_by_role("button", name="Cancel: film.mp4").focus()
    until(page, "[...window.seen].some((share) => share > 0 && share < 1)")
    screenshot(page, "running", *ALL_LOOKS)
    done = item(page, "film.mp4", "done")
    done.wait_for()
    assert page.evaluate("document.activeElement.closest('li').textContent").startswith("film.mp4")
    process.run("upscale", "film.mp4", "-s", "2", "-o", "wanted.mp4", folder=tmp_path)
    assert download(page, done, tmp_path / "got.mp4") == (tmp_path / "wanted.mp4").read_bytes()


def test_many_files_one_of_them_bad_and_one_archive(visitor: Visitor, server: Server) -> None:
    page = visitor.visit(server)
    page.wait_for_selector("#start:visible")
    long = "a-long-name-of-another-file-" * 3
    choose(page, *((f"many{n}.png", photo(60 + n, 80)) for n in range(3)), (f"{long}.png", png(30, 40)))
    page.evaluate(
        "(clipboardData) => document.dispatchEvent(new ClipboardEvent('paste', { clipboardData }))",
        transfer(page, "bad.png", b"<html>hello</html>"),
    )
    until(page, "document.querySelectorAll('#chosen-list li').length === 5")
    until(page, "document.querySelector('#sum').textContent.startsWith('5 files')")
    screenshot(page, "chosen", *ALL_LOOKS)
    check_accessible(page)
    page.get_by_role("button", name="Remove: a-long").click()
    begin(page)
    for n in range(3):
        item(page, f"many{n}.png", "done").wait_for()
    bad = item(page, "bad.png", "failed")
    bad.wait_for()
    assert "HTML" in bad.inner_text()
    with page.expect_download() as started:
        page.get_by_role("link", name="Download all").click()
    assert started.value.suggested_filename == "hyperacuity.zip"
    screenshot(page, "many", *ALL_LOOKS)
    check_accessible(page)


def test_an_upload_resumes_after_a_reload(visitor: Visitor, server: Server, tmp_path: Path) -> None:
    visitor.allowed = "ERR_ABORTED|ERR_FAILED"
    page = visitor.visit(server)
    page.wait_for_selector("#start:visible")
    path = tmp_path / "large.bin"
    path.write_bytes(b"no image " * 1_000_000)  # more than one part
    held: list[Any] = []
    offsets: list[int] = []

    def hold(route: Any) -> None:
        second = route.request.method == "PATCH" and route.request.headers["upload-offset"] != "0"
        held.append(route) if second else route.continue_()

    def send() -> None:
        page.set_input_files("#files", str(path))
        begin(page)

    page.route("**/v1/uploads/*", hold)
    send()
    until(page, "document.querySelector('#job-list progress')?.value > 0.5")
    page.reload()
    interrupted = page.locator("li[data-interrupted]:has-text('large.bin')")
    interrupted.wait_for()
    assert "Interrupted at 93 %. Choose the file again to resume." in interrupted.inner_text()
    screenshot(page, "interrupted", ("light", 1000))
    page.unroute_all(behavior="ignoreErrors")
    page.on("request", lambda r: offsets.extend(int(r.headers["upload-offset"]) for _ in range(r.method == "PATCH")))
    send()
    item(page, "large.bin", "failed").wait_for()
    assert offsets == [8 * 2**20]
    assert interrupted.count() == 0


def test_the_page_survives_the_death_of_the_server(visitor: Visitor, tmp_path: Path) -> None:
    visitor.allowed = _LOST
    server = Server(tmp_path / "data")
    port = server.address.split(":")[2].strip("/")
    try:
        page = visitor.visit(server)
        page.wait_for_selector("#start:visible")
        choose(page, ("restart.png", photo(480, 400)))
        begin(page)
        item(page, "restart.png").wait_for()
        server.kill()
        # The job may have been done in the meantime; a second one is chosen while there is no server.
        choose(page, ("second.png", photo(100, 100)))
        begin(page)
        until(page, "document.querySelector('#job-list').textContent.includes('connection is lost')")
        screenshot(page, "lost", ("light", 1000), ("dark", 320))
        server._arguments += ["--port", port]
        server.start()
        item(page, "restart.png", "done").wait_for()
        item(page, "second.png", "done").wait_for()
    finally:
        if server.process.poll() is None:
            server.stop()


def test_two_users_log_in_and_see_only_their_own(visitor: Visitor, strict: Users) -> None:
    visitor.allowed = "401"
    pages = {}
    for name in ("ada", "bob"):
        page = pages[name] = visitor.visit(strict.server)
        page.wait_for_selector("#log-in:visible")
        if name == "ada":
            screenshot(page, "log-in", *ALL_LOOKS)
            check_accessible(page)
            page.fill("[name=name]", "ada")
            page.fill("[name=password]", "wrong password")
            page.click("#log-in button")
            until(page, "document.querySelector('#log-in .error').textContent.includes('wrong')")
        page.fill("[name=name]", name)
        page.fill("[name=password]", f"password of {name}")
        page.click("#log-in button")
        page.wait_for_selector("#start:visible")
    choose(pages["ada"], ("of-ada.png", png()), ("too-large.png", png(120, 100)))
    until(pages["ada"], "document.querySelector('#chosen-list .error')?.textContent.includes('10,000 pixels')")
    screenshot(pages["ada"], "refused", ("light", 320), ("dark", 1000))
    begin(pages["ada"])
    item(pages["ada"], "of-ada.png", "done").wait_for()
    assert item(pages["ada"], "too-large.png").count() == 0
    pages["bob"].reload()
    pages["bob"].wait_for_selector("#start:visible")
    assert "of-ada" not in pages["bob"].content()
    (job,) = (job for job in strict.ada.get("jobs").json()["jobs"] if job["name"] == "of-ada.png")
    check_problem(strict.bob.get(job["result"]), 404)
    pages["ada"].get_by_role("button", name="Log out").click()
    pages["ada"].wait_for_selector("#log-in:visible")
    strict.ada.delete(f"jobs/{job['id']}")


def test_the_page_works_below_a_path_of_a_proxy_that_takes_a_megabyte(
    visitor: Visitor, idle: Callable[..., Server], tmp_path: Path
) -> None:
    visitor.allowed = "413|ERR_CONNECTION_RESET"  # of the first parts, which are too large for the proxy
    server = idle("--base-path", "/photos", "--trusted-proxy", "127.0.0.1", workers=1)
    inner = "/".join(server.address.split("/")[:3])
    with proxying(tmp_path / "nginx", inner, "http") as address:
        page = visitor.visit(server, address)
        page.wait_for_selector("#start:visible")
        choose(page, ("small.png", photo(60, 80)), ("large.bin", b"no image " * 400_000))
        begin(page)
        small = item(page, "small.png", "done")
        small.wait_for()
        small.get_by_role("button", name="Compare").click()
        until(page, "document.querySelector('.after').naturalWidth === 160")
        item(page, "large.bin", "failed").wait_for()
        page.goto("about:blank")  # ends its requests before the proxy ends
