"""`auto`: each source of a batch gets the model that it needs."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

import hyperacuity
from hyperacuity import Size, inspection, zoo
from hyperacuity.task import Choice, Options, Outcome, Task
from hyperacuity.tasks import Pipes, batch, run
from tests.inspection import made
from tests.video.videos import make


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean PNG, a JPEG in between, a dirty JPEG, and a tiny image."""
    folder = tmp_path_factory.mktemp("photos")
    photo = made.photo(96, 128)
    PIL.Image.fromarray(photo).save(folder / "clean.png")
    (folder / "between.jpg").write_bytes(made.jpeg(photo, 85))
    (folder / "dirty.jpg").write_bytes(made.jpeg(photo, 40))
    PIL.Image.fromarray(photo[:20, :20]).save(folder / "tiny.png")
    return folder


def outcome_of(folder: Path, name: str, tmp_path: Path, **options: Any) -> Outcome:
    task = Task(str(folder / name), str(tmp_path / "b.png"), Size(2), Options(**options), force=True)
    outcome = run(task)
    assert outcome.error is None
    return outcome


def test_each_file_gets_its_own_model(photo_zoo: Path, folder: Path, tmp_path: Path) -> None:
    tasks = [Task(str(path), str(tmp_path / f"{path.stem}.png"), Size(2)) for path in sorted(folder.iterdir())]
    chosen = {Path(outcome.source).name: outcome for outcome in batch(tasks)}
    assert {name: outcome.models for name, outcome in chosen.items()} == {
        "between.jpg": ("acute-100k-x2",),
        "clean.png": ("acute-100k-x2",),
        "dirty.jpg": ("photo-x2",),
        "tiny.png": ("acute-100k-x2",),
    }
    reasons = {name: outcome.choice.reason for name, outcome in chosen.items() if outcome.choice is not None}
    assert reasons["dirty.jpg"].startswith("JPEG quality 40")
    assert reasons["clean.png"] == "clean"
    tiny = chosen["tiny.png"].choice
    assert tiny is not None
    assert tiny.advice.startswith("20 x 20 pixels")
    for outcome in chosen.values():
        assert Outcome.from_json(outcome.to_json()) == outcome


def test_auto_can_be_given_by_name(photo_zoo: Path, folder: Path, tmp_path: Path) -> None:
    assert outcome_of(folder, "dirty.jpg", tmp_path, model="auto").models == ("photo-x2",)


def test_a_named_model_skips_the_inspection(
    photo_zoo: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Any:
        raise AssertionError("it was inspected")

    monkeypatch.setattr(inspection, "inspect", fail)
    for options in ({"model": "acute-100k"}, {"model_path": str(photo_zoo / "photo-x2.onnx")}):
        assert outcome_of(folder, "dirty.jpg", tmp_path, **options).choice is None


def test_without_restoring_models_the_default_is_taken_and_nothing_inspected(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(zoo.ROLES, "dirty", "not-there")
    monkeypatch.setitem(zoo.ROLES, "between", "not-there-either")
    outcome = outcome_of(folder, "dirty.jpg", tmp_path)
    assert (outcome.models, outcome.choice) == (("acute-100k-x2",), None)
    explained = run(Task(str(folder / "dirty.jpg"), str(tmp_path / "c.png"), Size(2), explain=True))
    assert explained.models == ("acute-100k-x2",)
    assert explained.choice is not None
    assert (explained.choice.family, explained.choice.verdict) == ("acute-100k", "dirty")
    assert explained.choice.measurements["jpeg_quality"] == 40


def test_faint_faults_count_at_large_scales(photo_zoo: Path, folder: Path, tmp_path: Path) -> None:
    taken = {}
    for name in ("clean.png", "between.jpg", "dirty.jpg"):
        for size in (Size(2), Size(2.9), Size(4), Size(width=512)):
            outcome = run(Task(str(folder / name), str(tmp_path / "b.png"), size, force=True))
            assert outcome.choice is not None
            taken[name, size] = outcome.choice.family
    assert [taken["clean.png", size] for size in (Size(2), Size(4))] == ["acute-100k", "acute-100k"]
    assert [taken["between.jpg", size] for size in (Size(2), Size(2.9))] == ["acute-100k", "acute-100k"]
    assert [taken["between.jpg", size] for size in (Size(4), Size(width=512))] == ["photo", "photo"]
    assert [taken["dirty.jpg", size] for size in (Size(2), Size(4))] == ["photo", "photo"]


def test_a_strength_is_for_images_that_are_not_clean(photo_zoo: Path, folder: Path, tmp_path: Path) -> None:
    models = [
        outcome_of(folder, name, tmp_path, strength=0.2).models for name in ("clean.png", "between.jpg", "dirty.jpg")
    ]
    assert models == [("acute-100k-x2",), ("photo-x2",), ("photo-x2",)]


def test_a_pipe_is_inspected_too(photo_zoo: Path, folder: Path) -> None:
    result = io.BytesIO()
    pipes = Pipes(io.BufferedReader(io.BytesIO((folder / "dirty.jpg").read_bytes())), result)
    outcome = run(Task("-", "-", Size(2)), pipes=pipes)
    assert (outcome.error, outcome.models) == (None, ("photo-x2",))
    assert PIL.Image.open(io.BytesIO(result.getvalue())).size == (256, 192)


@pytest.mark.parametrize("content", [b"", b"\xff\xd8\xff\xe0 not a JPEG", b"text"])
def test_files_that_cannot_be_read_fail_as_before(
    photo_zoo: Path, tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    named, chosen = (
        run(Task(str(tmp_path / "a.jpg"), str(tmp_path / "b.png"), Size(2), Options(model=model)))
        for model in ("acute-100k", None)
    )
    assert chosen.error is not None
    assert chosen.error == named.error


def test_the_functions_of_the_library_choose_too(photo_zoo: Path, folder: Path) -> None:
    photo = made.photo(48, 64)
    dirty = made.decoded(made.jpeg(made.noisy(photo, 10), 90))
    expected = hyperacuity.upscale(dirty, 2, model="photo")
    assert np.array_equal(hyperacuity.upscale(dirty, 2), expected)
    assert np.array_equal(np.asarray(hyperacuity.upscale(PIL.Image.fromarray(dirty), 2)), expected)
    assert not np.array_equal(hyperacuity.upscale(dirty, 2, model="acute-100k"), hyperacuity.upscale(dirty, 2))
    data = (folder / "dirty.jpg").read_bytes()
    assert hyperacuity.upscale(data, 2, model="auto") == hyperacuity.upscale(data, 2, model="photo")
    assert np.array_equal(hyperacuity.upscale(photo, 2), hyperacuity.upscale(photo, 2, model="acute-100k"))


def test_one_opened_model_stays_one_model(photo_zoo: Path) -> None:
    assert hyperacuity.load("auto").family[0].card.name == "acute-100k-x2"


@pytest.mark.parametrize(("model", "expected"), [(None, "acute-100k-x2"), ("auto", "photo-x2")])
def test_a_video_is_decided_once_if_asked_for(
    photo_zoo: Path, tmp_path: Path, model: str | None, expected: str
) -> None:
    frames = [made.noisy(made.photo(64, 80), 12, seed=n) for n in range(8)]
    source = make(tmp_path / "a.mkv", frames)
    outcome = run(Task(str(source), str(tmp_path / "b.mkv"), Size(2), Options(model=model)))
    assert outcome.error is None
    assert outcome.models == (expected,)
    assert (outcome.choice is None) == (model is None)
    if isinstance(outcome.choice, Choice):
        assert outcome.choice.reason.startswith("noise")
