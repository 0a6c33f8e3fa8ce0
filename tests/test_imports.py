"""Importing defines names and does nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import PIL.Image
import pytest

import hyperacuity
from hyperacuity.formats.table import FORMATS, ListedFormat

HEAVY = {"torch", "onnxruntime", "onnx", "pyvips", "PIL", "numpy", "psutil", "safetensors", "typer", "rich", "pydantic"}
HEAVY |= {"nibabel", "pydicom", "rasterio"}
CODECS_AND_RUNTIMES = HEAVY - {"numpy", "psutil", "safetensors"}
SOURCES = Path(hyperacuity.__file__).parent


def loaded_by(statement: str) -> set[str]:
    """The names of all modules in a fresh interpreter after `statement`."""
    program = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    return set(json.loads(answer.stdout.splitlines()[-1]))


def test_the_package_loads_itself_only() -> None:
    assert loaded_by("import hyperacuity") - loaded_by("") == {"__future__", "hyperacuity"}


def test_asking_for_the_functions_loads_no_codec_and_no_runtime() -> None:
    loaded = loaded_by("from hyperacuity import Image, Size, load, models, upscale")
    assert not loaded & CODECS_AND_RUNTIMES


def loaded_by_command(*arguments: str) -> set[str]:
    """The names of all modules after a command."""
    lines = (
        "import sys",
        "from hyperacuity.cli import main",
        f"sys.argv[1:] = {list(arguments)}",
        "try:",
        "    main()",
        "except SystemExit as end:",
        "    assert not end.code, end.code",
    )
    return loaded_by("\n".join(lines))


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["upscale", "--help"]])
def test_help_loads_no_codec_and_no_runtime(arguments: list[str]) -> None:
    loaded = loaded_by_command(*arguments)
    assert not loaded & (HEAVY - {"typer", "rich"})
    assert "av" not in loaded
    for package in ("formats", "tasks", "engines", "zoo", "inspection", "video"):
        assert f"hyperacuity.{package}" not in loaded


def test_an_image_loads_only_what_images_of_its_format_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What `tune` has measured on this machine would be compared with the versions of the installed engines.
    monkeypatch.setenv("HYPERACUITY_CACHE", str(tmp_path / "cache"))
    source, target = tmp_path / "a.png", tmp_path / "b.png"
    PIL.Image.new("RGB", (16, 16), "red").save(source)
    loaded = loaded_by_command("upscale", str(source), "-o", str(target), "-q")
    assert target.exists()
    assert not loaded & {"torch", "onnx", "av", "nibabel", "pydicom", "rasterio", "email", "numpy.ma"}
    for module in ("video", "medical", "raster", "reporting", "live", "formats.video.source", "formats.dicom.slices"):
        assert f"hyperacuity.{module}" not in loaded
    photo = "hyperacuity.formats.photo."
    formats = {each.module for each in FORMATS if isinstance(each, ListedFormat) and photo + each.module in loaded}
    assert formats == {"png"}


@pytest.mark.parametrize("module", ["errors", "size", "task", "tiles"])
def test_modules_of_plain_numbers_need_no_array(module: str) -> None:
    assert not loaded_by(f"import hyperacuity.{module}") & HEAVY


@pytest.mark.parametrize("module", ["resize", "colour", "image", "metrics"])
def test_modules_of_arrays_need_numpy_only(module: str) -> None:
    assert loaded_by(f"import hyperacuity.{module}") & HEAVY == {"numpy"}


@pytest.mark.parametrize("name", hyperacuity.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(hyperacuity, name) is not None
    assert name in dir(hyperacuity)


def test_public_names_are_listed_once_and_in_order() -> None:
    assert hyperacuity.__all__ == sorted(set(hyperacuity.__all__))


def test_other_names_are_an_attribute_error() -> None:
    assert not hasattr(hyperacuity, "enlarge")
    with pytest.raises(AttributeError, match="no attribute 'enlarge'"):
        hyperacuity.enlarge  # noqa: B018


def test_no_module_prints_or_exits_or_reads_arguments_but_the_command_line() -> None:
    for path in SOURCES.rglob("*.py"):
        text = path.read_text()
        if "cli" not in path.relative_to(SOURCES).parts:
            assert "sys.exit" not in text, path
            assert "sys.argv" not in text, path


def test_the_interpreter_that_is_tested_is_the_one_that_is_promised() -> None:
    assert sys.version_info >= (3, 11)


def test_only_the_http_interface_loads_a_web_framework() -> None:
    web = {"fastapi", "starlette", "uvicorn", "pydantic", "sqlite3", "argon2", "prometheus_client"}
    assert not loaded_by("import hyperacuity") & web
    assert (
        not loaded_by("from hyperacuity import Image, load, upscale; import hyperacuity.cli, hyperacuity.tasks") & web
    )
    assert not loaded_by("import hyperacuity.server.worker") & web
