"""Which engine opens a model, and what is refused with which cure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from hyperacuity import engines, export, zoo
from hyperacuity.engines import ncnn, onnx_runtime, opening, openvino, pytorch, tuning
from hyperacuity.errors import LEAVE_OUT, MissingDependency, UsageError, Use, WeightsError
from hyperacuity.networks import NETWORKS, build
from hyperacuity.zoo import Card, Model
from tests.exported import NOT_FOR_NCNN, runs

pytestmark = pytest.mark.usefixtures("untuned")


@pytest.fixture(scope="module", params=NETWORKS)
def model(request: pytest.FixtureRequest, exported: Callable[[str], Model]) -> Model:
    """A network of the table with random weights, exported."""
    return exported(request.param)


def faster_engines(model: Model) -> list[str]:
    """Those that declare a gain for the architecture, the largest first."""
    gains = {name: backend.gain.get(model.card.architecture, 0) for name, backend in engines.ENGINES.items()}
    return sorted((name for name, gain in gains.items() if gain > 1), key=lambda name: -gains[name])


def without(monkeypatch: pytest.MonkeyPatch, engine: str) -> None:
    """As if the engine's package were not installed."""
    monkeypatch.setitem(engines.ENGINES, engine, replace(engines.ENGINES[engine], requires=("no_such_module",)))


@pytest.mark.parametrize("engine", ["openvino", "ncnn"])
def test_engines_of_the_cpu_say_what_they_cannot_do(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = zoo.find_models("fsrcnn-x2")[0]
    for message, arguments in (("fp32 here, not in fp16", {"precision": "fp16"}), ("not on cuda", {"device": "cuda"})):
        with pytest.raises(UsageError, match=message) as caught:
            engines.open(model, engine=engine, **arguments)  # type: ignore[arg-type]
        assert caught.value.cures == (Use(engine="pytorch"),)
    with pytest.raises(UsageError, match="no ONNX file in its folder"):
        engines.open(replace(model, onnx=None), engine=engine)
    without(monkeypatch, engine)
    with pytest.raises(MissingDependency, match=rf"pip install 'hyperacuity\[{engine}\]'"):
        engines.open(model, engine=engine)


@pytest.mark.parametrize("architecture", NOT_FOR_NCNN)
def test_ncnn_names_the_missing_operator(architecture: str, exported: Callable[[str], Model]) -> None:
    missing = NOT_FOR_NCNN[architecture]
    with pytest.raises(UsageError, match=f"has {missing}, which is not made for ncnn") as caught:
        engines.open(exported(architecture), engine="ncnn")
    assert caught.value.cures == (Use(engine=LEAVE_OUT),)


def test_auto_takes_onnx_runtime_on_a_cpu(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "has_driver", lambda: False)
    if not faster_engines(model):
        assert isinstance(engines.open(model), onnx_runtime.OnnxRuntime)
    assert isinstance(engines.open(replace(model, onnx=None)), pytorch.PyTorch)
    assert isinstance(engines.open(model, precision="bf16", device="cpu"), pytorch.PyTorch)


def test_auto_takes_what_is_measured_to_be_faster_and_can_run_it(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "has_driver", lambda: False)
    faster = faster_engines(model)
    assert set(faster) <= set(runs(model))
    if not faster:
        return
    assert isinstance(engines.open(model), {"openvino": openvino.OpenVino, "ncnn": ncnn.Ncnn}[faster[0]])
    for name in faster:
        without(monkeypatch, name)
    assert isinstance(engines.open(model), onnx_runtime.OnnxRuntime)


def test_auto_goes_on_to_an_engine_that_knows_all_layers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(opening, "has_driver", lambda: False)
    config = {"scale": 2, "blocks": 1, "features": 4, "growth": 2}  # begins with what ncnn does not know
    network = build("rrdb", config).eval()
    card = Card("plus-x2", "rrdb", 2, "RGB", "none", "nothing", "none", config, **export.measure_network(network))
    export.write_model(network, card, tmp_path)
    model = zoo.open_model(tmp_path / "plus-x2.onnx")
    assert isinstance(engines.open(model), onnx_runtime.OnnxRuntime)
    assert tuning.remember(model, "ncnn")
    assert isinstance(engines.open(model), onnx_runtime.OnnxRuntime)


def test_a_driver_that_pytorch_cannot_use_does_not_slow_the_cpu(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "has_driver", lambda: True)
    monkeypatch.setitem(engines.ENGINES, "pytorch", replace(pytorch.BACKEND, sees_gpu=lambda: False))
    assert not isinstance(engines.open(model), pytorch.PyTorch)
    monkeypatch.setitem(engines.ENGINES, "pytorch", replace(pytorch.BACKEND, sees_gpu=lambda: True))
    assert isinstance(engines.open(model), pytorch.PyTorch)


def test_auto_on_cuda_is_fp16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pytorch, "_device", torch.device)
    monkeypatch.setattr(pytorch, "PyTorch", lambda _, device, precision: (device.type, precision))
    for device, precision in (("cuda", "fp16"), ("mps", "fp16"), ("cpu", "fp32")):
        assert pytorch.open(Any, device, "auto") == (device, precision)  # type: ignore[arg-type, comparison-overlap]


def test_what_cannot_be_had_is_said_with_its_cure(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="Did you mean 'onnxruntime'"):
        engines.open(model, engine="onnxruntme")
    with pytest.raises(UsageError, match="fp32 or int8 here, not in fp16") as caught:
        engines.open(model, engine="onnxruntime", precision="fp16")
    assert caught.value.cures == (Use(engine="pytorch"),)
    with pytest.raises(UsageError, match="no ONNX file") as caught:
        engines.open(replace(model, onnx=None), engine="onnxruntime")
    assert caught.value.cures == (Use(engine="pytorch"),)
    with pytest.raises(UsageError, match="no device 'gpu'"):
        engines.open(model, engine="onnxruntime", device="gpu")
    with pytest.raises(UsageError, match="no device 'gpu'"):
        engines.open(model, engine="pytorch", device="gpu")
    with pytest.raises(UsageError, match="not supported"):
        engines.open(model, engine="pytorch", device="meta")
    without(monkeypatch, "pytorch")
    with pytest.raises(MissingDependency, match=r"pip install 'hyperacuity\[torch\]'"):
        engines.open(model, device="cuda")
    with pytest.raises(MissingDependency, match="pip install"):
        engines.open(model, engine="pytorch")


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_a_gpu_that_is_not_there_is_named(model: Model) -> None:
    with pytest.raises(UsageError, match="sees no cuda"):
        engines.open(model, engine="pytorch", device="cuda")
    with pytest.raises(UsageError, match="cannot use cuda"):
        engines.open(model, engine="onnxruntime", device="cuda")


def test_damaged_files_are_refused(model: Model, tmp_path: Path) -> None:
    assert model.onnx is not None
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(model.onnx.read_bytes()[:1000])
    with pytest.raises(WeightsError, match="cannot load"):
        engines.open(replace(model, onnx=broken), engine="onnxruntime")
    for engine in ("openvino", "ncnn"):
        with pytest.raises(WeightsError, match="cannot load"):
            engines.open(replace(model, onnx=broken), engine=engine)
    foreign = tmp_path / "foreign.safetensors"
    safetensors.torch.save_file({"a": torch.zeros(3)}, foreign)
    with pytest.raises(WeightsError, match="do not fit"):
        engines.open(replace(model, safetensors=foreign), engine="pytorch")
