"""The command as a user sees it: a process, its output, its exit code, and the files it leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

import hyperacuity
from tests.cli.process import COMMAND, run, spawn
from tests.video.videos import make, moving_frames


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Five images, one of them cut short, one a web page, one empty."""
    y, x = np.mgrid[0:48, 0:64]
    pixels = np.stack([x * 3, y * 4, (x + y) * 2], -1).astype(np.uint8)
    image = PIL.Image.fromarray(pixels)
    image.save(tmp_path / "a.png")
    image.save(tmp_path / "b.jpg", quality=90)
    image.save(tmp_path / "cut.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:-400])
    (tmp_path / "page.jpg").write_text("<!DOCTYPE html><html>404</html>")
    (tmp_path / "empty.png").touch()
    return tmp_path


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


def test_one_file_one_line(photos: Path) -> None:
    result = spawn("upscale", "a.png", "-n", "acute-100k", folder=photos)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("a.png  64x48 -> 128x96  acute-100k-x2  ")
    with PIL.Image.open(photos / "a-x2.png") as larger:
        assert larger.size == (128, 96)


def test_a_batch_continues_after_bad_files_lists_them_and_fails(photos: Path) -> None:
    result = run("upscale", ".", "-o", "out", folder=photos)
    assert result.returncode == 1
    assert names(photos / "out") == {"a.png", "b.jpg"}
    last = result.stderr.splitlines()[-1]
    assert last.startswith("2 done, 3 left out: ")
    for bad in ("cut.png", "page.jpg", "empty.png"):
        assert bad in last
    for bad in ("cut.png", "page.jpg", "empty.png"):
        assert bad in result.stderr
    assert "Traceback" not in result.stderr


def test_nothing_is_overwritten_without_force(photos: Path) -> None:
    (photos / "a-x2.png").write_bytes(b"precious")
    result = run("upscale", "a.png", folder=photos)
    assert result.returncode == 1
    assert "exists" in result.stderr
    assert (photos / "a-x2.png").read_bytes() == b"precious"
    assert run("upscale", "a.png", "--skip-existing", folder=photos).returncode == 0
    assert (photos / "a-x2.png").read_bytes() == b"precious"
    assert run("upscale", "a.png", "--force", folder=photos).returncode == 0
    assert (photos / "a-x2.png").read_bytes() != b"precious"


def test_pipes_carry_images_and_nothing_else(photos: Path) -> None:
    data = (photos / "a.png").read_bytes()
    result = spawn("upscale", "-", "-o", "-", "-s", "3", folder=photos, input=data, text=False)
    assert result.returncode == 0
    (photos / "piped.png").write_bytes(result.stdout)
    with PIL.Image.open(photos / "piped.png") as larger:
        assert (larger.format, larger.size) == ("PNG", (192, 144))
    result = run("upscale", "-", "-o", "-", "--ext", "webp", folder=photos, input=data, text=False)
    assert result.stdout[8:12] == b"WEBP"
    result = run("upscale", "-", "-o", "-", folder=photos, input=b"<html>", text=False)
    assert (result.returncode, result.stdout) == (1, b"")


def test_json_prints_a_summary(photos: Path) -> None:
    result = run("upscale", "a.png", "cut.png", "--json", "--width", "100", "-n", "acute-100k", folder=photos)
    summary = json.loads(result.stdout)
    assert result.returncode == 1
    assert summary["failed"] == 1
    good = next(file for file in summary["files"] if file["input"] == "a.png")
    assert good["output"] == "a-100w.png"
    assert (good["input_size"], good["output_size"]) == ([64, 48], [100, 75])
    assert good["models"] == ["acute-100k-x2"]
    assert next(file for file in summary["files"] if file["input"] == "cut.png")["error"]


def test_what_a_person_expects_and_is_left_out_is_counted_in_one_line(photos: Path) -> None:
    (photos / "in").mkdir()
    (photos / "a.png").rename(photos / "in/a.png")
    for name in ("IMG_1.PSD", "IMG_2.psd", "a.psd", "b.psd"):
        (photos / "in" / name).write_bytes(b"8BPS\0\1")
    (photos / "in/a.pdf").write_bytes(b"%PDF-1.7")
    (photos / "in/notes.txt").write_text("not expected")
    result = run("upscale", "in", "-o", "out", "--ext", "png", folder=photos)
    assert result.returncode == 1
    assert names(photos / "out") == {"a.png"}
    last = result.stderr.splitlines()[-1]
    assert last.startswith("1 done, 5 left out: IMG_1.PSD, IMG_2.psd, a.psd and 1 more (a Photoshop document")
    assert "; a.pdf (a PDF document" in last
    assert "notes.txt" not in result.stderr
    summary = json.loads(run("upscale", "in", "-o", "out", "--force", "--json", folder=photos).stdout)
    assert (summary["done"], summary["failed"]) == (1, 5)
    assert {Path(one["input"]).name for one in summary["left_out"]} >= {"IMG_1.PSD", "a.pdf"}
    assert all(one["reason"] for one in summary["left_out"])


def test_what_is_passed_over_is_mentioned_but_is_no_failure(photos: Path) -> None:
    (photos / "notes.txt").write_text("text")
    (photos / "deep").mkdir()
    (photos / "b.jpg").rename(photos / "deep/b.jpg")
    for name in ("cut.png", "page.jpg", "empty.png"):
        (photos / name).unlink()
    result = run("upscale", ".", "-o", "out", folder=photos)
    assert (result.returncode, result.stderr) == (0, "not searched: deep (add -r)\n")
    result = run("upscale", "a.png", "notes.txt", "-o", "out", "--force", folder=photos)
    assert (result.returncode, result.stderr) == (0, "passed over: notes.txt (neither images nor videos)\n")
    summary = json.loads(run("upscale", ".", "-o", "out", "--force", "--json", folder=photos).stdout)
    assert (summary["passed_over"], summary["not_searched"]) == ([], ["deep"])


@pytest.mark.parametrize("name", ["a.HEIC", "a.psd", "a.CR3"])
def test_a_folder_of_formats_that_are_not_read_says_so(name: str, photos: Path) -> None:
    (photos / "in").mkdir()
    (photos / "in" / name).write_bytes({"a.HEIC": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"}.get(name, b"8BPS\0\1"))
    result = run("upscale", "in", folder=photos)
    assert result.returncode == 1
    assert name in result.stderr
    assert "-r" not in result.stderr.split()


def test_a_folder_of_images_and_videos_does_both_with_the_options_of_each(photos: Path) -> None:
    (photos / "in").mkdir()
    (photos / "b.jpg").rename(photos / "in/b.jpg")
    make(photos / "in/video.mkv", moving_frames(3))
    result = run("upscale", "in", "-o", "out", "-n", "bicubic", "--crf", "30", "--quality", "50", "--ext", "png",
                 folder=photos)  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert names(photos / "out") == {"b.png", "video.mkv"}


def test_two_results_of_one_name_get_an_advice_that_works(photos: Path) -> None:
    (photos / "in").mkdir()
    (photos / "a.png").rename(photos / "in/a.png")
    (photos / "b.jpg").rename(photos / "in/a.jpg")
    result = run("upscale", "in", "-o", "out", "--ext", "png", folder=photos)
    assert "would both become" in result.stderr
    assert "leave out --ext, or add --keep-ending" in result.stderr
    assert "--suffix" not in result.stderr
    assert run("upscale", "in", "-o", "o1", folder=photos).returncode == 0
    assert run("upscale", "in", "-o", "o2", "--ext", "png", "--keep-ending", folder=photos).returncode == 0
    assert (names(photos / "o1"), names(photos / "o2")) == ({"a.png", "a.jpg"}, {"a.png", "a.jpg.png"})


def test_an_output_without_an_ending_is_a_folder(photos: Path) -> None:
    assert run("upscale", "a.png", "-o", "larger", folder=photos).returncode == 0
    assert names(photos / "larger") == {"a.png"}
    assert run("upscale", "a.png", "-o", "named", "--ext", "webp", folder=photos).returncode == 0
    assert (photos / "named.webp").is_file()


def test_width_with_height_says_that_it_stretches_and_fit_does_not(photos: Path) -> None:
    result = run("upscale", "a.png", "--width", "100", "--height", "100", folder=photos)
    assert (result.returncode, result.stderr.count("\n")) == (0, 1)
    assert "a.png: warning: 100 x 100 pixels stretch an image of 64 x 48: add --fit" in result.stderr
    result = run("upscale", "a.png", "--width", "100", "--height", "100", "--fit", "-o", "b.png", folder=photos)
    assert (result.returncode, result.stderr) == (0, "")
    with PIL.Image.open(photos / "b.png") as fitted:
        assert fitted.size == (100, 75)


def test_short_options_of_other_programs_work(photos: Path) -> None:
    result = run("upscale", "-i", "a.png", "-o", "o.png", "-n", "FSRCNN_x2", "-s", "3.5", "-t", "32", "--fp32", "-x",
                 folder=photos)  # fmt: skip
    assert result.returncode == 0, result.stderr
    with PIL.Image.open(photos / "o.png") as larger:
        assert larger.size == (224, 168)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["upscale"], "say what to upscale"),
        (["upscale", "none.png"], "there is no none.png"),
        (["upscale", "a.png", "-n", "fsrcn"], "Did you mean 'fsrcnn'"),
        (["upscale", "a.png", "-s", "0"], "scale must be a positive number"),
        (["upscale", "a.png", "-s", "2", "--width", "3"], "not scale and width together"),
        (["upscale", "a.png", "-s", "1000"], "beyond"),
        (["upscale", "a.png", "--ext", "jpgg"], "Did you mean 'jpg'"),
        (["upscale", "a.png", "-o", "b.xyz"], "xyz"),
        (["upscale", "a.png", "-t", "big"], "auto, 0"),
        (["upscale", "a.png", "-t", "²"], "auto, 0"),
        (["upscale", "n" * 300 + ".png"], "name too long"),
        (["upscale", "a.png", "-o", "n" * 300 + ".png"], "name too long"),
        (["upscale", "a.png", "--suffix", "n" * 252], "name too long"),
        (["upscale", "a.png", "-o", "b.jpg/c.png"], "a file in place of a folder"),
        (["upscale", "a.png", "--suffix", "../b"], "use -o for another folder"),
        (["upscale", "a.png", "--fp32", "--precision", "bf16"], "leave one of them out"),
        (["upscale", "a.png", "-g", "0", "--device", "cpu"], "leave one of them out"),
        (["upscale", "a.png", "b.jpg", "--engine", "onnx"], "there are onnxruntime"),
        (["upscale", "a.png", "--precision", "int4"], "there are auto"),
        (["upscale", "a.png", "-n", "bicubic", "-m", "x.onnx"], "not both"),
        (["upscale", "a.png", "-m", "x.onnx"], "no model file"),
        (["train", "none.toml"], "cannot read the recipe none.toml: no such file or directory\n"),
        (["live", "a.png", "-o", ""], "the output is empty"),
        (["live", "", "-o", "a.ts"], "the source is empty"),
        (["train", "none.toml", "--set", "a"], "KEY=VALUE"),
    ],
)
def test_mistakes_get_one_line_and_exit_code_1(photos: Path, arguments: list[str], message: str) -> None:
    before = names(photos)
    result = run(*arguments, folder=photos)
    assert result.returncode == 1
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not result.stderr.endswith(".\n")
    assert names(photos) == before


@pytest.mark.skipif(os.name == "nt", reason="Windows does not delete a working folder")
def test_a_deleted_working_folder_is_reported_in_one_line(photos: Path) -> None:
    (photos / "gone").mkdir()
    line = ["sh", "-c", 'rmdir "$PWD"; exec "$@"', "sh", *COMMAND, "upscale", "../a.png"]
    result = subprocess.run(line, cwd=photos / "gone", capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)


def test_an_unknown_option_is_exit_code_2(photos: Path) -> None:
    assert run("upscale", "--skale", "2", folder=photos).returncode == 2


def test_a_file_in_place_of_a_command_shows_the_full_command_line(photos: Path) -> None:
    result = run("a.png", folder=photos)
    assert result.returncode == 2
    assert "hyperacuity upscale a.png" in result.stderr


def test_with_quiet_each_failure_is_one_line(photos: Path) -> None:
    result = run("upscale", ".", "-o", "out", "-q", folder=photos)
    assert result.returncode == 1
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert [line.count("page.jpg") for line in lines if "page.jpg" in line] == [1]
    assert lines[-1] == "2 done, 3 left out"


def test_a_warning_names_a_file_once(photos: Path) -> None:
    with PIL.Image.open(photos / "a.png") as image:
        image.putalpha(7)
        image.save(photos / "clear.png")
    (photos / "clear.png").rename(photos / "clear.jpg")
    result = run("upscale", "clear.jpg", "-o", "out/", folder=photos)
    assert result.returncode == 0
    assert result.stderr.startswith("clear.jpg: warning: JPEG has no transparency")


def test_control_characters_in_names_are_escaped(photos: Path) -> None:
    (photos / "a.png").rename(photos / "\x1b[31ma.png")
    result = run("upscale", ".", "-o", "out", folder=photos)
    assert "\x1b" not in result.stdout
    assert "\\x1b[31ma.png" in result.stdout


@pytest.mark.skipif(os.name == "nt", reason="Windows inherits file descriptors differently")
def test_closed_streams_are_allowed(photos: Path) -> None:
    def closed(number: int, *arguments: str) -> subprocess.CompletedProcess[str]:
        line = [*COMMAND, "upscale", *arguments]
        return subprocess.run(
            ["sh", "-c", f'exec "$@" {number}>&-', "sh", *line], cwd=photos, capture_output=True, text=True, check=False
        )

    assert closed(1, "a.png", "-o", "1.png").returncode == 0
    assert closed(2, "a.png", "-o", "2.png").returncode == 0
    for number in (1, 2):
        with PIL.Image.open(photos / f"{number}.png") as image:
            image.load()
    for number, arguments in ((0, ("-", "-o", "0.png")), (1, ("a.png", "-o", "-"))):
        result = closed(number, *arguments)
        assert (result.returncode, result.stderr.count("\n")) == (1, 1)
        assert "is closed" in result.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full")
@pytest.mark.parametrize("output", ["-", "b.png"])
def test_output_that_cannot_be_written_is_reported_in_one_line(photos: Path, output: str) -> None:
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            [*COMMAND, "upscale", "a.png", "-o", output],
            cwd=photos,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert result.returncode == 1
    assert "cannot be written: No space left" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.skipif(os.name == "nt", reason="pipes are POSIX's")
def test_a_closed_pipe_ends_the_work_quietly(photos: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    result = subprocess.run(
        [*COMMAND, "upscale", "a.png", "-o", "-", "-q"], cwd=photos, stdout=write, stderr=subprocess.PIPE, check=False
    )
    os.close(write)
    assert (result.returncode, result.stderr) == (1, b"")


@pytest.mark.skipif(os.name == "nt", reason="terminals are POSIX's")
def test_no_image_is_written_to_a_terminal(photos: Path) -> None:
    import pty

    person, terminal = pty.openpty()
    options = {"cwd": photos, "stderr": subprocess.PIPE, "text": True, "check": False}
    result = subprocess.run([*COMMAND, "upscale", "a.png", "-o", "-"], stdout=terminal, **options)  # type: ignore[call-overload]
    assert (result.returncode, result.stderr.count("is a terminal")) == (1, 1)
    result = subprocess.run([*COMMAND, "upscale", "-", "-o", "b.png"], stdin=terminal, **options)  # type: ignore[call-overload]
    assert (result.returncode, result.stderr.count("is a terminal")) == (1, 1)
    os.close(person)
    os.close(terminal)


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
@pytest.mark.parametrize("again", [False, True])
def test_an_interrupted_run_leaves_no_partial_file(tmp_path: Path, number: int, code: int, again: bool) -> None:
    random = np.random.default_rng(0)
    for n in range(4):
        PIL.Image.fromarray(random.integers(0, 255, (1000, 1000, 3), np.uint8)).save(tmp_path / f"{n}.png")
    with subprocess.Popen(
        [*COMMAND, "upscale", ".", "-o", "out", "-n", "fast", "-s", "4", "-j", "2"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        deadline = time.monotonic() + 60
        while not (tmp_path / "out").exists() or not any((tmp_path / "out").iterdir()):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(number)
        if again:
            assert process.stderr is not None
            assert "again to stop at once" in process.stderr.readline()
            process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == (130 if again else code), errors
    assert "Traceback" not in errors
    for path in (tmp_path / "out").iterdir():
        with PIL.Image.open(path) as whole:
            assert whole.size == (4000, 4000)
            whole.load()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_named(photos: Path) -> None:
    (photos / "locked").mkdir(mode=0o500)
    result = run("upscale", "a.png", "-o", "locked/", folder=photos)
    assert result.returncode == 1
    assert "locked" in result.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full's folder and RLIMIT_FSIZE")
def test_a_full_disk_leaves_nothing_behind(photos: Path) -> None:
    code = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
        "from hyperacuity.cli import main; main()"
    )
    before = names(photos)
    arguments = [sys.executable, "-c", code, "upscale", "b.jpg", "-o", "out/b.png"]
    result = subprocess.run(arguments, cwd=photos, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "b.jpg" in result.stderr
    assert "Traceback" not in result.stderr
    assert names(photos) == before


def test_models_are_listed(tmp_path: Path) -> None:
    result = run("models", folder=tmp_path)
    assert result.returncode == 0
    line = next(line for line in result.stdout.splitlines() if "acute-100k-x2" in line)
    for word in ("best", "default", "x2", "93,956", "37.44", "0.9581", "Apache-2.0"):
        assert word in line
    several = next(line for line in result.stdout.splitlines() if line.startswith("vdsr "))
    for word in ("x2, x3, x4", "665,921", "37.16"):
        assert word in several
    cards = json.loads(run("models", "--json", folder=tmp_path).stdout)
    assert cards["acute-100k-x2"]["halo"] > 0


def test_version_and_help_load_nothing_heavy(tmp_path: Path) -> None:
    assert run("--version", folder=tmp_path).stdout == f"hyperacuity {hyperacuity.__version__}\n"
    code = (
        "import sys; from hyperacuity.cli import main\n"
        "sys.argv = ['hyperacuity', *sys.argv[1:]]\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'onnxruntime', 'pyvips', 'PIL', 'numpy'} & set(sys.modules)\n"
        "print('heavy:', sorted(heavy))"
    )
    for arguments in (["--help"], ["--version"], ["upscale", "--help"], ["models", "--help"], ["train", "--help"]):
        result = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
        assert result.stdout.endswith("heavy: []\n"), result.stdout + result.stderr


def test_names_that_the_terminal_cannot_print_do_not_stop_a_batch(photos: Path) -> None:
    (photos / "a.png").rename(photos / "größe 😀.png")
    plain = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    result = spawn("upscale", ".", "-o", "out", folder=photos, env=plain)
    assert {"größe 😀.png", "b.jpg"} == names(photos / "out")
    assert "Traceback" not in result.stderr
    result = spawn("upscale", ".", "-o", "out", "--json", "--force", folder=photos, env=plain)
    assert "größe 😀.png" in {file["input"] for file in json.loads(result.stdout)["files"]}


@pytest.mark.parametrize(
    ("command", "expected"), [("import", "[default:"), ("train", "recipe's [quick]."), ("quantise", "[default: as")]
)
def test_brackets_in_help_are_printed(command: str, expected: str, tmp_path: Path) -> None:
    assert expected in " ".join(run(command, "--help", folder=tmp_path).stdout.replace("│", " ").split())
