"""Images in tasks: the bytes of one machine, and nothing half-written whatever happens."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from hyperacuity.cluster.manifest import MANIFEST, Plan
from hyperacuity.cluster.runners.protocol import DONE, FAILED
from hyperacuity.cluster.work import Worker, find_report
from hyperacuity.errors import DamagedFile, UsageError
from hyperacuity.size import Size
from hyperacuity.task import Options
from tests.cluster.plans import files_below, on_one_machine, planned, template, work_all


def noise(height: int, width: int, channels: int = 3, dtype: Any = np.uint8) -> NDArray[Any]:
    random = np.random.default_rng(height)
    if dtype == np.float32:
        return random.random((height, width, channels), np.float32)
    return random.integers(0, np.iinfo(dtype).max, (height, width, channels), dtype)


def write_images(folder: Path) -> Path:
    """8 and 16 bits, alpha, and floats, in folders."""
    import pyvips

    (folder / "deep").mkdir(parents=True)
    Image.fromarray(noise(21, 30)).save(folder / "rgb.png")
    Image.fromarray(noise(22, 30, 4)).save(folder / "alpha.png")
    Image.fromarray(noise(23, 30)).save(folder / "deep" / "photo.jpg")
    for name, pixels in {"deep/16.png": noise(24, 30, 3, np.uint16), "float.tif": noise(25, 30, 3, np.float32)}.items():
        pyvips.Image.new_from_array(pixels).write_to_file(str(folder / name))
    return folder


@pytest.mark.parametrize("scale", [2, 3.5])
def test_files_have_the_bytes_of_one_machine(tmp_path: Path, scale: float) -> None:
    source = write_images(tmp_path / "in")
    request = template(size=Size(scale), options=Options(model="fast"))
    outcomes = on_one_machine(str(source), f"{tmp_path / 'one'}/", request)
    assert not any(each.error for each in outcomes)
    summary = planned(str(source), str(tmp_path / "many"), str(tmp_path / "plan"), request)
    assert (summary.files, summary.tasks) == (5, {"files": 1})
    assert [each.state for each in work_all(str(tmp_path / "plan"))] == [DONE]
    assert files_below(tmp_path / "many") == files_below(tmp_path / "one")
    assert sum(1 for _ in (tmp_path / "many").rglob("*.part")) == 0


def test_work_that_is_done_is_not_done_again(tmp_path: Path) -> None:
    planned(str(write_images(tmp_path / "in")), str(tmp_path / "out"), str(tmp_path / "plan"))
    work_all(str(tmp_path / "plan"))
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    (report,) = work_all(str(tmp_path / "plan"))
    assert (report.state, report.outcomes) == (DONE, ())
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    # Of a task that was done in part, only the rest is done.
    (tmp_path / "out" / "rgb.png").unlink()
    (report,) = work_all(str(tmp_path / "plan"))
    assert [Path(each.target).name for each in report.outcomes] == ["rgb.png"]


def test_a_plan_is_a_pure_function_of_its_input(tmp_path: Path) -> None:
    source = str(write_images(tmp_path / "in"))
    for name in ("a", "b"):
        planned(source, str(tmp_path / "out"), str(tmp_path / name))
    planned(source, str(tmp_path / "out"), str(tmp_path / "a"))  # the same plan again is no conflict
    assert (tmp_path / "a" / MANIFEST).read_bytes() == (tmp_path / "b" / MANIFEST).read_bytes()
    with pytest.raises(UsageError, match="has another plan"):
        planned(source, str(tmp_path / "elsewhere"), str(tmp_path / "a"))


def test_a_damaged_file_fails_and_the_others_of_its_task_do_not(tmp_path: Path) -> None:
    source = write_images(tmp_path / "in")
    (source / "rgb.png").write_bytes((source / "rgb.png").read_bytes()[:300])
    planned(str(source), str(tmp_path / "out"), str(tmp_path / "plan"))
    (report,) = work_all(str(tmp_path / "plan"))
    assert report.state == FAILED
    errors = [each for each in report.outcomes if each.error]
    assert [each.source for each in errors] == [str(source / "rgb.png")]
    assert "IDAT" in str(errors[0].error)
    assert len(files_below(tmp_path / "out")) == 4
    with Plan(str(tmp_path / "plan")) as plan:
        assert find_report(plan, 0).outcomes[1:] == report.outcomes[1:]


def test_a_source_that_has_changed_fails_with_its_name(tmp_path: Path) -> None:
    source = write_images(tmp_path / "in")
    planned(str(source), str(tmp_path / "out"), str(tmp_path / "plan"))
    Image.fromarray(noise(40, 30)).save(source / "rgb.png")
    (source / "alpha.png").unlink()
    (report,) = work_all(str(tmp_path / "plan"))
    messages = {Path(each.source).name: str(each.error) for each in report.outcomes if each.error}
    assert report.state == FAILED
    assert messages == {
        "rgb.png": f"{source / 'rgb.png'} has changed since the plan was made; plan again",
        "alpha.png": f"{source / 'alpha.png'} is missing; it was there when the plan was made",
    }


def test_results_are_kept_unless_they_are_to_be_replaced(tmp_path: Path) -> None:
    source, out = write_images(tmp_path / "in"), tmp_path / "out"
    out.mkdir()
    (out / "rgb.png").write_bytes(b"mine")
    with pytest.raises(UsageError, match=r"rgb\.png exists"):
        planned(str(source), str(out), str(tmp_path / "plan"))
    assert planned(str(source), str(out), str(tmp_path / "a"), template(skip_existing=True)).skipped == 1
    work_all(str(tmp_path / "a"))
    assert (out / "rgb.png").read_bytes() == b"mine"
    planned(str(source), str(out), str(tmp_path / "b"), force=True)
    work_all(str(tmp_path / "b"))
    on_one_machine(str(source), f"{tmp_path / 'one'}/")
    assert files_below(out) == files_below(tmp_path / "one")


def test_a_manifest_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    planned(str(write_images(tmp_path / "in")), str(tmp_path / "out"), str(tmp_path / "plan"))
    path = tmp_path / "plan" / MANIFEST
    whole = path.read_bytes()
    for end in (0, 10, whole.index(b"\n") + 1, whole.rindex(b"{"), len(whole) - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(DamagedFile, match="cut short"):
            Plan(str(tmp_path / "plan"))
    path.write_bytes(whole.replace(b"rgb.png", b"rgc.png", 1))
    with pytest.raises(DamagedFile, match="cut short or damaged"):
        Plan(str(tmp_path / "plan"))


@pytest.mark.parametrize("change", [{"version": "9.9"}, {"format": 99}])
def test_a_manifest_of_another_version_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    planned(str(write_images(tmp_path / "in")), str(tmp_path / "out"), str(tmp_path / "plan"))
    path = tmp_path / "plan" / MANIFEST
    first, *rest = path.read_text().splitlines(keepends=True)
    path.write_text(json.dumps(json.loads(first) | change) + "\n" + "".join(rest))
    with pytest.raises(UsageError, match="need the same version"):
        Plan(str(tmp_path / "plan"))


def test_a_model_that_differs_is_refused(tmp_path: Path) -> None:
    from hyperacuity import zoo

    model = tmp_path / "own.safetensors"
    found = zoo.find_models("fast")[0].safetensors
    assert found is not None
    model.write_bytes(found.read_bytes())
    request = template(options=Options(model_path=str(model)))
    planned(str(write_images(tmp_path / "in")), str(tmp_path / "out"), str(tmp_path / "plan"), request)
    model.write_bytes(model.read_bytes()[:-1] + b"\0")
    with Plan(str(tmp_path / "plan")) as plan, pytest.raises(UsageError, match="not the one of the plan"):
        Worker(plan)


def test_names_that_differ_only_in_case_are_refused(tmp_path: Path) -> None:
    for name in ("a.png", "A.png"):
        Image.fromarray(noise(8, 8)).save(tmp_path / name)
    names = [str(tmp_path / "a.png"), str(tmp_path / "A.png")]
    if os.path.samefile(*names):
        pytest.skip("this file system does not tell case apart")
    with pytest.raises(UsageError, match="differ only in case"):
        planned(names, f"{tmp_path / 'out'}/", str(tmp_path / "plan"))


def test_an_output_below_the_input_is_not_an_input(tmp_path: Path) -> None:
    source = write_images(tmp_path / "in")
    for name in ("plan", "plan-2"):
        summary = planned(str(source), str(source / "larger"), str(source / name), template(skip_existing=True))
        work_all(str(source / name))
        assert summary.files + summary.skipped == 5


def test_no_files_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(UsageError, match="no images or videos"):
        planned(str(tmp_path / "in"), str(tmp_path / "out"), str(tmp_path / "plan"))


def test_small_files_are_put_together_and_large_ones_are_not(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for n in range(6):
        Image.fromarray(np.zeros((10, 10, 3), np.uint8)).save(tmp_path / "in" / f"small{n}.png")
    for n in range(2):
        Image.fromarray(np.zeros((4000, 9000), np.uint8)).save(tmp_path / "in" / f"large{n}.png")
    summary = planned(str(tmp_path / "in"), str(tmp_path / "out"), str(tmp_path / "plan"), template(size=Size(4)))
    with Plan(str(tmp_path / "plan")) as plan:
        names = [[Path(each.source).stem for each in plan.task(n).files] for n in range(len(plan))]
    assert names == [["large0"], ["large1"], [f"small{n}" for n in range(6)]]
    assert summary.tasks == {"files": 3}
