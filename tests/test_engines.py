"""What every engine must be: they agree, serve threads, survive a lack of memory."""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hyperacuity import engines, export, zoo
from hyperacuity.errors import OutOfMemory
from hyperacuity.networks import NETWORKS, build
from hyperacuity.zoo import Card, Model
from tests.exported import NOT_FOR_NCNN, noise, runs, size_of

pytestmark = pytest.mark.usefixtures("untuned")


@pytest.fixture(scope="module", params=NETWORKS)
def model(request: pytest.FixtureRequest, exported: Callable[[str], Model]) -> Model:
    """A network of the table with random weights, exported."""
    return exported(request.param)


@pytest.fixture(scope="module")
def opened(model: Model) -> Callable[[str], engines.Engine]:
    """Engines of this model on the CPU, each opened once."""
    return functools.cache(lambda name: engines.open(model, engine=name, device="cpu"))


@pytest.mark.parametrize("size", [(1, 5, 7), (2, 3, 4), (1, 1, 1), (1, 1, 12)])
def test_engines_agree(model: Model, opened: Callable[[str], engines.Engine], size: tuple[int, int, int]) -> None:
    count, rows, columns = size
    card = model.card
    batch = noise(count, card.channel_count, rows * card.multiple, columns * card.multiple)
    answers = [opened(name).run(batch) for name in runs(model)]
    for answer in answers:
        assert answer.shape == (*batch.shape[:2], *(side * card.network_scale for side in batch.shape[2:]))
        assert answer.dtype == np.float32
        np.testing.assert_allclose(answer, answers[0], rtol=0, atol=1e-4 * size_of(answers[0]))


@pytest.mark.parametrize("engine", engines.ENGINES)
def test_a_tile_with_its_halo_equals_the_whole(
    model: Model, opened: Callable[[str], engines.Engine], engine: str
) -> None:
    """The card's halo is true: one step less and the rim differs, with it nothing does."""
    if model.card.whole:
        pytest.skip("takes statistics over the whole image, so that no halo makes tiles exact")
    if engine not in runs(model):
        pytest.skip(f"has {NOT_FOR_NCNN[model.card.architecture]}")
    network = opened(engine)
    scale, step = network.scale, network.multiple
    reach = -(-network.halo // step) * step
    start, own = reach + 2 * step, 8 * step
    batch = noise(1, network.channels, 2 * start + own + step, 2 * start + own)
    whole = network.run(batch)[:, :, start * scale : (start + own) * scale, start * scale : (start + own) * scale]

    def computed(border: int) -> Any:
        cut = slice(start - border, start + own + border)
        inside = slice(border * scale, (border + own) * scale)
        return network.run(np.ascontiguousarray(batch[:, :, cut, cut]))[:, :, inside, inside]

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
def test_an_engine_serves_several_threads(model: Model, opened: Callable[[str], engines.Engine], engine: str) -> None:
    if engine not in runs(model):
        pytest.skip(f"has {NOT_FOR_NCNN[model.card.architecture]}")
    network = opened(engine)
    step = model.card.multiple
    batches = [noise(1, model.card.channel_count, 8 * step * n, 8 * step) for n in range(1, 4)] * 3
    alone = [network.run(batch) for batch in batches]
    with ThreadPoolExecutor(3) as pool:
        for several in (network, network.per_core()):
            assert several is not None
            for together, one in zip(pool.map(several.run, batches), alone, strict=True):
                np.testing.assert_allclose(together, one, atol=1e-5 * size_of(one))


@pytest.mark.parametrize("engine", engines.ENGINES)
def test_free_memory_is_reported(engine: str) -> None:
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
