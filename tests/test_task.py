from __future__ import annotations

import json
import pickle
import threading

import pytest

from hyperacuity.errors import LEAVE_OUT, OTHER, OutOfMemory, Run, Unreachable, UsageError, Use
from hyperacuity.size import Size
from hyperacuity.task import ImageOptions, Message, Options, Outcome, Progress, Stop, Stopped, Task, VideoOptions

RECORDS = [
    Options(),
    Options(model="fast", engine="ncnn", device="cpu", precision="fp32", tile=0, tta=True),
    Task("a.jpg", "b.jpg"),
    Task("a.jpg", "b.jpg", Size(scale=3.5), Options(tile=64), image=ImageOptions(quality=90), force=True),
    Task("a.mp4", "b.mkv", Size(width=640, height=480), video=VideoOptions("h265", 18.5, "slow", {"tune": "film"})),
    Task("f/%06d.png", "-", Size(megapixels=2), video=VideoOptions(start="1/3", duration="10", fps="30000/1001")),
    Progress(0.25, 0.125, frame=3, frames=8, pixels=12345),
    Outcome("a.jpg", "b.jpg", error=Message("damaged", (Use(strict=LEAVE_OUT), Use(output=OTHER), Run("import", "a")))),
    Outcome(
        "a",
        "b",
        "video",
        None,
        False,
        (4, 6),
        (8, 12),
        ("acute-10k-x2",),
        7,
        2,
        1,
        0.5,
        (Message("no subtitles"),),
        1.5,
    ),
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_records_go_through_json_and_back(record: Task) -> None:
    assert type(record).from_json(json.loads(json.dumps(record.to_json()))) == record


def test_defaults_are_not_written() -> None:
    assert Task("a", "b").to_json() == {"source": "a", "target": "b"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"source": "a", "target": "b", "sise": {}}, "no field 'sise'"),
        ({"source": 1, "target": "b"}, "source: 1 is not of type str"),
        ({"source": "a", "target": "b", "force": "yes"}, "force: 'yes' is not of type bool"),
        ({"source": "a", "target": "b", "options": {"tile": True}}, "tile: True is not of type int"),
        ({"source": "a", "target": "b", "options": [1]}, "options: "),
        ({"source": "a", "target": "b", "size": {"scale": -1}}, "scale must be a positive number"),
    ],
)
def test_foreign_content_is_refused_with_the_name_of_the_field(content: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Task.from_json(content)


def test_stop_reaches_another_thread() -> None:
    stop = Stop()
    stop.check()
    threading.Timer(0.01, stop.set).start()
    assert stop.wait(10)
    with pytest.raises(Stopped):
        stop.check()


def test_each_interface_words_a_cure_in_its_own_way() -> None:
    error = UsageError("ncnn computes in fp32", Use(engine="pytorch"), Use(precision=LEAVE_OUT))
    assert str(error) == 'ncnn computes in fp32: use engine="pytorch", or leave out precision'
    assert (
        error.describe(lambda cure: "/".join(cure.options) if isinstance(cure, Use) else "")
        == "ncnn computes in fp32: engine, or precision"
    )
    assert error.within("a.jpg").cures == error.cures
    assert str(error.within("a.jpg")).startswith("a.jpg: ncnn computes")


def test_options_that_exclude_each_other_are_refused() -> None:
    with pytest.raises(UsageError, match="leave out model, or leave out model_path"):
        Options(model="fast", model_path="a.onnx")
    with pytest.raises(UsageError, match="a tile of -1 pixels"):
        Options(tile=-1)


@pytest.mark.parametrize("kind", [UsageError, OutOfMemory, Unreachable])
def test_errors_keep_their_cures_between_processes(kind: type[UsageError]) -> None:
    error = kind("no memory", Use(tile=LEAVE_OUT))
    found = pickle.loads(pickle.dumps(error))
    assert (str(found), found.cures) == (str(error), error.cures)
    assert isinstance(found.cures[0], Use)
    assert found.cures[0].options["tile"] is LEAVE_OUT
