"""What the command line says about the choice of a model."""

from __future__ import annotations

import json
from pathlib import Path

import PIL.Image
import pytest

from hyperacuity import zoo
from hyperacuity.cli.explaining import explanation
from hyperacuity.task import Choice
from tests.cli.process import run
from tests.inspection import made


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    (tmp_path / "a.jpg").write_bytes(made.jpeg(made.photo(96, 128), 42))
    PIL.Image.fromarray(made.photo(20, 24)).save(tmp_path / "tiny.png")
    return tmp_path


def test_the_line_of_a_result_says_why(photo_zoo: Path, photos: Path) -> None:
    result = run("upscale", "a.jpg", folder=photos)
    assert "photo-x2 (JPEG quality 42" in result.stdout
    assert result.stdout.count("\n") == 1


def test_unusual_images_get_one_sentence(photo_zoo: Path, photos: Path) -> None:
    lines = run("upscale", "tiny.png", folder=photos).stdout.splitlines()
    assert len(lines) == 2
    assert "24 x 20 pixels hold too little to recognise" in lines[1]


def test_explain_prints_the_measurements_and_how_to_overrule(photo_zoo: Path, photos: Path) -> None:
    output = run("upscale", "a.jpg", "--explain", folder=photos).stdout
    assert "measured: 128 x 96, JPEG quality 42, chroma 4:2:0, noise 0.0, blocks" in output
    assert "it has visible faults, which photo is for; another model: -n NAME, such as -n acute-100k" in output
    (photos / "b.jpg").write_bytes(made.jpeg(made.photo(96, 128), 97))
    output = run("upscale", "b.jpg", "--explain", folder=photos).stdout
    assert "it is clean, which acute-100k is for; another model: -n NAME, such as -n photo" in output
    (photos / "c.jpg").write_bytes(made.jpeg(made.photo(96, 128), 85))
    output = run("upscale", "c.jpg", "--explain", folder=photos).stdout
    assert "it has faint faults, which acute-100k still enlarges best; another model: " in output
    assert "-n NAME, such as -n photo" in output


def test_explain_works_where_there_is_nothing_to_choose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zoo, "find_role", lambda verdict, scale: zoo.DEFAULT)
    choice = Choice("acute-100k", "dirty", "noise 9", measurements={"height": 3, "width": 4, "noise": 9.0})
    assert list(explanation(choice, full=True)) == [
        "measured: 4 x 3, noise 9.0",
        "it has visible faults, but no model for that is installed, and acute-100k is the default; another model: "
        "-n NAME",
    ]


@pytest.mark.parametrize(("noise", "words"), [(0.0, ""), (9.0, ", 80% likely noise and not texture")])
def test_whether_it_is_texture_is_said_of_noise_only(noise: float, words: str) -> None:
    measured = {"height": 3, "width": 4, "noise": noise, "traces": 0.12, "grain": 0.8}
    line = f"measured: 4 x 3, noise {noise:.1f}{words}, 12% likely compressed at a low quality before"
    assert line in list(explanation(Choice(zoo.DEFAULT, "clean", "clean", "", measured), full=True))


def test_explain_is_not_for_named_models(photos: Path) -> None:
    result = run("upscale", "a.jpg", "--explain", "-n", "fast", folder=photos)
    assert result.returncode == 1
    assert "leave -n and -m out" in result.stderr


def test_json_has_the_choice(photo_zoo: Path, photos: Path) -> None:
    (file,) = json.loads(run("upscale", "a.jpg", "--json", folder=photos).stdout)["files"]
    assert file["models"] == ["photo-x2"]
    assert (file["choice"]["family"], file["choice"]["verdict"]) == ("photo", "dirty")
    assert file["choice"]["measurements"]["jpeg_quality"] == 42


def test_a_strength_can_be_given(photo_zoo: Path, photos: Path) -> None:
    for strength in ("0", "1"):
        result = run("upscale", "a.jpg", "--strength", strength, "-o", f"{strength}.png", folder=photos)
        assert result.returncode == 0, result.stderr
    assert (photos / "0.png").read_bytes() != (photos / "1.png").read_bytes()
    refused = run("upscale", "a.jpg", "-n", "acute-100k", "--strength", "0.5", folder=photos)
    assert "leave out --strength, or add -n photo-x2" in refused.stderr
