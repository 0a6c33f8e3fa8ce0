from __future__ import annotations

import functools
import math
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from hyperacuity import engines, export, machine, zoo
from hyperacuity.engines import ncnn, onnx_runtime, opening, openvino, pytorch, timing, tuning
from hyperacuity.errors import LEAVE_OUT, MissingDependency, OutOfMemory, UsageError, Use, WeightsError
from hyperacuity.networks import NETWORKS, as_network, build
from hyperacuity.zoo import Card, Model
from tests.test_networks import built

# Attention that multiplies what it attends to dies out or explodes; at this gain of the random weights neither happens.
GAIN = {"span": 0.9}
# Networks with operators that are not made for ncnn, and the first of them.
NOT_FOR_NCNN = {"imdn": "ReduceMean", "residual_transposed": "Resize", "swinir": "Squeeze"}


def runs(model: Model) -> list[str]:
    """The engines that can run it."""
    refused = model.card.architecture in NOT_FOR_NCNN
    return [name for name in engines.ENGINES if not (name == "ncnn" and refused)]


@pytest.fixture(autouse=True)
def untuned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What this machine's user has tuned shall not matter."""
    monkeypatch.setattr(tuning, "cache_file", lambda: tmp_path / "cache" / "engines.json")


@pytest.fixture(scope="module", params=NETWORKS)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A network of the table with random weights, exported."""
    network = built(request.param).eval()
    for parameter in network.parameters():
        if parameter.dim() > 1:
            torch.nn.init.xavier_normal_(parameter, GAIN.get(request.param, 1.0))
    told = as_network(network)
    card = Card(
        name=f"{request.param}-x{told.scale}",
        architecture=request.param,
        config=NETWORKS[request.param].small,
        scale=told.scale,
        channels="Y" if told.channels == 1 else "RGB",
        licence="none",
        trained_on="nothing",
        paper="none",
        **export.measure_network(network),
    )
    folder = tmp_path_factory.mktemp("zoo")
    export.write_model(network, card, folder)
    return zoo.open_model(folder / f"{card.name}.onnx")


def faster_engines(model: Model) -> list[str]:
    """Those that declare a gain for the architecture, the largest first."""
    gains = {name: backend.gain.get(model.card.architecture, 0) for name, backend in engines.ENGINES.items()}
    return sorted((name for name, gain in gains.items() if gain > 1), key=lambda name: -gains[name])


def without(monkeypatch: pytest.MonkeyPatch, engine: str) -> None:
    """As if the engine's package were not installed."""
    monkeypatch.setitem(engines.ENGINES, engine, replace(engines.ENGINES[engine], requires=("no_such_module",)))


def noise(*shape: int) -> Any:
    return np.random.default_rng(0).random(shape, np.float32)


def size_of(values: Any) -> float:
    """What a tolerance is relative to: random weights may lead far out of [0, 1]."""
    return max(1.0, float(np.abs(values).max()))


@pytest.mark.parametrize("size", [(1, 5, 7), (2, 3, 4), (1, 1, 1), (1, 1, 12)])
def test_engines_agree(model: Model, size: tuple[int, int, int]) -> None:
    count, rows, columns = size
    card = model.card
    batch = noise(count, card.channel_count, rows * card.multiple, columns * card.multiple)
    answers = [engines.open(model, engine=name, device="cpu").run(batch) for name in runs(model)]
    for answer in answers:
        assert answer.shape == (*batch.shape[:2], *(side * card.network_scale for side in batch.shape[2:]))
        assert answer.dtype == np.float32
        np.testing.assert_allclose(answer, answers[0], rtol=0, atol=1e-4 * size_of(answers[0]))


@pytest.mark.parametrize("engine", engines.ENGINES)
def test_a_tile_with_its_halo_equals_the_whole(model: Model, engine: str) -> None:
    """The card's halo is true: one step less and the rim differs, with it nothing does."""
    if model.card.whole:
        pytest.skip("takes statistics over the whole picture, so that no halo makes tiles exact")
    if engine not in runs(model):
        pytest.skip(f"has {NOT_FOR_NCNN[model.card.architecture]}")
    opened = engines.open(model, engine=engine, device="cpu")
    scale, step = opened.scale, opened.multiple
    reach = -(-opened.halo // step) * step
    start, own = reach + 2 * step, 8 * step
    batch = noise(1, opened.channels, 2 * start + own + step, 2 * start + own)
    whole = opened.run(batch)[:, :, start * scale : (start + own) * scale, start * scale : (start + own) * scale]

    def computed(border: int) -> Any:
        cut = slice(start - border, start + own + border)
        inside = slice(border * scale, (border + own) * scale)
        return opened.run(np.ascontiguousarray(batch[:, :, cut, cut]))[:, :, inside, inside]

    # The numbers of ncnn depend a little on where the blocks of its Winograd convolution begin.
    tolerance = 2e-5 if engine == "ncnn" else 2e-6
    np.testing.assert_allclose(computed(reach), whole, rtol=0, atol=tolerance * size_of(whole))
    assert np.abs(computed(reach - step) - whole).max() > 1e-7


@pytest.mark.parametrize("engine", ["openvino", "ncnn"])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_transposed_convolutions_become_others_with_the_same_picture(scale: int, engine: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = {"scale": scale, "d": 8, "s": 4, "m": 1}
    network = build("fsrcnn", config).eval()
    torch.nn.init.normal_(network.get_parameter("deconvolve.weight"))
    card = Card(f"f-x{scale}", "fsrcnn", scale, "Y", "", "", "", config, **export.measure_network(network))
    export.write_model(network, card, tmp_path)
    opened = engines.open(zoo.open_model(tmp_path / f"f-x{scale}.onnx"), engine=engine)
    for side in (1, 2, 7, 200):
        batch = noise(2, 1, side, side + 3)
        with torch.inference_mode():
            expected = network(torch.from_numpy(batch)).numpy()
        np.testing.assert_allclose(opened.run(batch), expected, atol=1e-4 * size_of(expected))


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino", "ncnn"])
def test_an_engine_serves_several_threads(model: Model, engine: str) -> None:
    if engine not in runs(model):
        pytest.skip(f"has {NOT_FOR_NCNN[model.card.architecture]}")
    opened = engines.open(model, engine=engine)
    step = model.card.multiple
    batches = [noise(1, model.card.channel_count, 8 * step * n, 8 * step) for n in range(1, 4)] * 3
    alone = [opened.run(batch) for batch in batches]
    with ThreadPoolExecutor(3) as pool:
        for several in (opened, opened.per_core()):
            assert several is not None
            for together, one in zip(pool.map(several.run, batches), alone, strict=True):
                np.testing.assert_allclose(together, one, atol=1e-5 * size_of(one))


def test_onnx_runtime_takes_no_more_threads_than_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Left to itself it counts those of the machine, though taskset or a container allow fewer."""
    model = zoo.find_models("fsrcnn-x2")[0]
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    for cores, wanted in ((4, 0), (3, 3), (1, 1)):
        monkeypatch.setattr(machine, "cores", functools.partial(int, cores))
        opened: Any = engines.open(model, engine="onnxruntime", device="cpu")
        assert opened._session.get_session_options().intra_op_num_threads == wanted


@pytest.mark.parametrize("engine", ["openvino", "ncnn"])
def test_engines_of_the_cpu_say_what_they_cannot_do(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = zoo.find_models("fsrcnn-x2")[0]
    for message, arguments in (("fp32 here, not in fp16", {"precision": "fp16"}), ("not on cuda", {"device": "cuda"})):
        with pytest.raises(UsageError, match=message) as caught:
            engines.open(model, engine=engine, **arguments)  # type: ignore[arg-type]
        assert caught.value.cures == (Use(engine="pytorch"),)
    with pytest.raises(UsageError, match="no ONNX file beside it"):
        engines.open(replace(model, onnx=None), engine=engine)
    without(monkeypatch, engine)
    with pytest.raises(MissingDependency, match=rf"pip install 'hyperacuity\[{engine}\]'"):
        engines.open(model, engine=engine)


def test_ncnn_names_the_operator_that_it_lacks(model: Model) -> None:
    lacking = NOT_FOR_NCNN.get(model.card.architecture)
    if lacking is None:
        pytest.skip("has none")
    with pytest.raises(UsageError, match=f"has {lacking}, which is not made for ncnn") as caught:
        engines.open(model, engine="ncnn")
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


def test_auto_takes_what_was_tuned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "has_driver", lambda: False)
    acute, fsrcnn = zoo.find_models("acute-50k-x2")[0], zoo.find_models("fsrcnn-x2")[0]
    assert tuning.remember(acute, "ncnn")
    assert tuning.remember(fsrcnn, "onnxruntime")
    assert isinstance(engines.open(acute), ncnn.Ncnn)
    assert isinstance(engines.open(fsrcnn), onnx_runtime.OnnxRuntime)
    for fact, value in (("processor", "another"), ("cores", 999)):  # another machine with the same home
        with monkeypatch.context() as other:
            other.setattr(machine, fact, lambda value=value: value)
            assert isinstance(engines.open(acute), onnx_runtime.OnnxRuntime)
    tuning.cache_file().write_text('{"acute')
    assert isinstance(engines.open(acute), onnx_runtime.OnnxRuntime)


def test_an_unwritable_cache_is_no_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "full").touch()
    monkeypatch.setattr(tuning, "cache_file", lambda: tmp_path / "full" / "engines.json")
    model = zoo.find_models("fsrcnn-x2")[0]
    assert not tuning.remember(model, "ncnn")
    assert tuning.recall(model) is None


def test_a_trial_runs_every_engine_and_says_which_could_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(timing, "SIDES", (24, 32))
    results = timing.time_engines(zoo.find_models("fsrcnn-x2")[0])
    assert {one.engine for one in results} == set(engines.ENGINES)
    assert [one.seconds for one in results] == sorted(one.seconds or 0 for one in results)
    assert all(one.difference < 1e-4 and one.megapixels_per_second > 0 for one in results)
    assert len({one.difference for one in results}) > 1

    def refuse(*_: object) -> engines.Engine:
        raise UsageError("not this one")

    monkeypatch.setitem(engines.ENGINES, "ncnn", replace(ncnn.BACKEND, open=refuse))
    last = timing.time_engines(zoo.find_models("fsrcnn-x2")[0])[-1]
    assert (last.engine, last.seconds, last.fault) == ("ncnn", None, "not this one")


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


@pytest.mark.parametrize("engine", engines.ENGINES)
def test_free_memory_is_told(engine: str) -> None:
    model = zoo.find_models("fsrcnn-x2")[0]
    assert 1 << 20 < engines.open(model, engine=engine, device="cpu").available() < 1 << 50


def test_several_threads_share_one_full_twin(model: Model) -> None:
    half = engines.open(model, engine="pytorch", device="cpu", precision="bf16")
    with ThreadPoolExecutor(8) as pool:
        twins = list(pool.map(lambda _: half.in_float32(), range(8)))
    assert len({id(twin) for twin in twins}) == 1


def test_half_precision_is_near_and_knows_its_full_twin(model: Model) -> None:
    batch = noise(1, model.card.channel_count, 24, 24)
    half = engines.open(model, engine="pytorch", device="cpu", precision="bf16")
    full = half.in_float32()
    assert (half.precision, full.precision) == ("bf16", "fp32")
    assert full.in_float32() is full
    assert half.in_float32() is full
    exact = full.run(batch)
    assert np.abs(half.run(batch) - exact).max() < 0.05 * np.abs(exact).max()


def test_fp16_is_nearer_than_bf16() -> None:
    """The reason that it is the default on GPUs: 11 bits of mantissa against 8."""
    model, batch = zoo.find_models("fsrcnn-x2")[0], noise(1, 1, 48, 48)
    precisions: tuple[engines.Precision, ...] = ("fp32", "fp16", "bf16")
    full, fp16, bf16 = (
        engines.open(model, engine="pytorch", device="cpu", precision=name).run(batch) for name in precisions
    )
    assert np.abs(fp16 - full).mean() < np.abs(bf16 - full).mean() / 3


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


@pytest.mark.parametrize(
    ("engine", "fault"),
    [
        ("onnxruntime", MemoryError()),
        ("onnxruntime", RuntimeError("[ONNXRuntimeError] : 6 : std::bad_alloc")),
        ("onnxruntime", RuntimeError("Failed to allocate memory for requested buffer of size 99")),
        ("pytorch", torch.OutOfMemoryError("CUDA out of memory")),
        ("onnxruntime", RuntimeError("CUDA failure 2: out of memory ; GPU=0")),
        ("pytorch", RuntimeError("DefaultCPUAllocator: can't allocate memory")),
        ("pytorch", RuntimeError("MPS backend out of memory (MPS allocated: 9.00 GB)")),
        ("pytorch", RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED")),
    ],
)
def test_their_out_of_memory_is_ours(
    model: Model, engine: str, fault: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: Any = engines.open(model, engine=engine, device="cpu")

    def fail(*_: Any, **__: Any) -> None:
        raise fault

    if engine == "onnxruntime":
        monkeypatch.setattr(opened, "_session", type("Session", (), {"run": fail})())
    else:
        monkeypatch.setattr(opened, "_network", fail)
    with pytest.raises(OutOfMemory):
        opened.run(noise(1, opened.channels, 8, 8))


STARVED = """
import resource, sys
import numpy as np, psutil
from hyperacuity import engines, zoo
from hyperacuity.errors import OutOfMemory

opened = engines.open(zoo.find_models("fsrcnn-x2")[0], engine=sys.argv[1], device="cpu")
small = np.zeros((1, 1, 16, 16), np.float32)
opened.run(small)
limit = psutil.Process().memory_info().vms + (200 << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    opened.run(np.zeros((1, 1, 2000, 2000), np.float32))
except OutOfMemory:
    opened.run(small)
    print("recovered")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
@pytest.mark.parametrize("engine", engines.ENGINES)
def test_memory_that_really_runs_out_is_survived(engine: str) -> None:
    result = subprocess.run([sys.executable, "-c", STARVED, engine], capture_output=True, text=True, check=False)
    assert result.stdout == "recovered\n", result.stderr


def test_other_faults_are_not_hidden(model: Model) -> None:
    with pytest.raises(Exception, match=r"nvalid|rank|dimension|channels") as caught:
        engines.open(model, engine="onnxruntime").run(noise(1, 2, 8, 8))
    assert not isinstance(caught.value, MemoryError)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_agrees_with_the_cpu(model: Model) -> None:
    batch = noise(1, model.card.channel_count, 40, 56)
    exact = engines.open(model, engine="onnxruntime").run(batch)
    full = engines.open(model, engine="pytorch", device="cuda", precision="fp32").run(batch)
    np.testing.assert_allclose(full, exact, atol=1e-4)
    for precision in ("fp16", "bf16"):
        half = engines.open(model, engine="pytorch", device="cuda", precision=precision).run(batch)
        assert np.abs(half - exact).max() < 0.05 * np.abs(exact).max()


@pytest.mark.parametrize(
    ("group", "limits", "expected"),
    [
        ("/", {"": "max 100000"}, math.inf),
        ("/", {"": "200000 100000"}, 2),
        ("/a/b", {"a": "150000 100000", "a/b": "max 100000"}, 1.5),  # what is above it binds it too
        ("/a/b", {"a": "400000 100000", "a/b": "50000 100000"}, 0.5),
        ("/a/b", {"a": "nonsense"}, math.inf),
        (None, {}, math.inf),
    ],
)
def test_a_container_may_have_less_than_its_cores(
    group: str | None, limits: dict[str, str], expected: float, tmp_path: Path
) -> None:
    if group is not None:
        (tmp_path / "proc/self").mkdir(parents=True)
        (tmp_path / "proc/self/cgroup").write_text(f"4:memory:/elsewhere\n0::{group}\n")
    for name, content in limits.items():
        folder = tmp_path / "sys/fs/cgroup" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cpu.max").write_text(content + "\n")
    assert machine.quota(tmp_path) == expected


def test_cores_are_whole_and_one_at_least(monkeypatch: pytest.MonkeyPatch) -> None:
    bound = machine.cores()
    for quota, expected in ((0.3, 1), (1.5, min(2, bound)), (1000, bound)):
        monkeypatch.setattr(machine, "quota", functools.partial(float, quota))
        assert machine.cores() == expected
