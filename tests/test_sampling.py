"""Samples: the noise of tiles, the network in ONNX, files of samples with their mean and spread."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch

import hyperacuity
from hyperacuity import export, zoo
from hyperacuity.error_maps import ErrorMapRequest
from hyperacuity.errors import UsageError
from hyperacuity.networks import build
from hyperacuity.pipeline import Noise
from hyperacuity.sampling import SamplePaths, SampleRequest, write_samples
from hyperacuity.task import ImageOptions, Options, Task
from hyperacuity.tasks import run
from hyperacuity.upscaler import Upscaler


@pytest.fixture
def photo() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.asarray(np.rint(np.clip(rng.normal(128, 40, (50, 61, 3)), 0, 255)), np.uint8)


def test_the_noise_is_normal_and_independent() -> None:
    field = Noise(seed=3).field(4, (100, 300), (2**31, 2**31 + 200))
    assert field.shape == (4, 200, 200)
    assert field.dtype == np.float32
    assert abs(field.mean()) < 0.01
    assert field.std() == pytest.approx(1, abs=0.01)
    assert np.mean(np.abs(field) > 1.96) == pytest.approx(0.05, abs=0.002)
    for shift in ((0, 0, 1), (0, 1, 0), (1, 0, 0)):
        assert abs((field * np.roll(field, shift, (0, 1, 2))).mean()) < 0.01


def test_the_noise_of_a_part_is_a_part_of_the_noise() -> None:
    whole = Noise(7, 2).field(3, (0, 40), (0, 50))
    np.testing.assert_array_equal(Noise(7, 2).field(3, (11, 30), (5, 9)), whole[:, 11:30, 5:9])


@pytest.mark.parametrize("other", [Noise(8, 2), Noise(7, 3), Noise(7, 2, stage=1), Noise(-7, 2), Noise(7 + 2**63, 2)])
def test_another_seed_sample_or_network_gets_other_noise(other: Noise) -> None:
    a, b = (noise.field(2, (0, 60), (0, 60)) for noise in (Noise(7, 2), other))
    assert abs((a * b).mean()) < 0.05


def test_the_noise_stays_the_same_over_versions() -> None:
    """A seed that was noted down gives the same image years later: SplitMix64 and Box-Muller, written once more."""

    def mixed(bits: int) -> int:
        bits = (bits ^ bits >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        bits = (bits ^ bits >> 27) * 0x94D049BB133111EB % 2**64
        return bits ^ bits >> 31

    step, key = 0x9E3779B97F4A7C15, 0
    for part in (7, 1, 0):
        key = mixed((key + part * step + step) % 2**64)
    bits = mixed(mixed((key + 2 * step) % 2**64) ^ mixed(((5 << 32) | 6) * step % 2**64))
    first, second = ((bits >> 32) + 0.5) / 2**32, (bits & 0xFFFFFFFF) / 2**32
    expected = np.sqrt(-2 * np.log(first)) * np.cos(2 * np.pi * second)
    assert Noise(7, 1).field(2, (5, 6), (6, 7))[1, 0, 0] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_sampler_in_onnx_is_that_of_pytorch(scale: int, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network: Any = build("vae", {"scale": scale, "features": 8, "layers": 1}).eval()
    with torch.no_grad():
        network.decoder[-1].weight *= 30  # so that the noise is seen
    card = zoo.Card(
        f"mine-x{scale}", "vae", scale, "Y", "none", "nothing", "none", {"scale": scale, "features": 8, "layers": 1}
    )
    export.write_model(network, zoo.Card.from_metadata(card.to_metadata()), tmp_path)
    upscaler = Upscaler(Options(model_path=str(tmp_path / f"mine-x{scale}.onnx")))
    pixels = np.random.default_rng(1).uniform(0.2, 0.8, (20, 31)).astype(np.float32)
    noise = Noise(5, 1)
    made = upscaler.array(pixels, scale, noise)
    from hyperacuity import colour

    field = torch.from_numpy(noise.field(4, (0, 20), (0, 31)))[None]
    with torch.inference_mode():
        drawn = network.draw(torch.from_numpy(colour.to_studio(pixels))[None, None], field)[0, 0].numpy()
    expected = colour.from_studio(drawn)
    np.testing.assert_allclose(made, np.clip(expected, 0, 1) if made.max() <= 1 else expected, atol=1e-4)
    assert np.abs(made - upscaler.array(pixels, scale)).max() > 0.01


@pytest.mark.parametrize("tile", [0, 17, 32])
def test_tiles_do_not_show(tile: int, photo: np.ndarray) -> None:
    whole = hyperacuity.load("vae-x2").samples(photo, 2, count=2, seed=7)
    tiled = hyperacuity.load("vae-x2", tile=tile).samples(photo, 2, count=2, seed=7)
    assert np.abs(tiled.astype(int) - whole).max() <= 1  # other sums round otherwise
    assert np.mean(tiled != whole) < 0.001


def test_samples_differ_by_number_seed_and_temperature(photo: np.ndarray) -> None:
    vae = hyperacuity.load("vae-x2")
    first, second = vae.samples(photo, 2, count=2, seed=7).astype(int)
    again = vae.samples(photo, 2, count=2, seed=7)
    other = vae.samples(photo, 2, count=2, seed=8)
    cold = vae.samples(photo, 2, count=2, seed=7, temperature=0.0)
    np.testing.assert_array_equal(again[0], first)
    assert np.abs(first - second).mean() > 0.5
    assert np.abs(first - other[0]).mean() > 0.5
    np.testing.assert_array_equal(cold[0], cold[1])
    assert np.abs(cold[0].astype(int) - vae.array(photo, 2)).max() <= 1


def test_transparency_is_not_drawn(photo: np.ndarray) -> None:
    alpha = np.linspace(0, 255, 50 * 61).astype(np.uint8).reshape(50, 61, 1)
    first, second = hyperacuity.load("vae-x2").samples(np.concatenate([photo, alpha], 2), 2, count=2)
    np.testing.assert_array_equal(first[..., 3], second[..., 3])


def test_a_model_without_samples_says_which_has_them(photo: np.ndarray) -> None:
    with pytest.raises(UsageError, match="fsrcnn-x2 draws no samples") as caught:
        hyperacuity.load("fsrcnn").samples(photo, 2)
    assert any("vae" in str(cure) for cure in caught.value.cures)


def test_the_files_are_the_samples_their_mean_and_their_spread(photo: np.ndarray, tmp_path: Path) -> None:
    PIL.Image.fromarray(photo).save(tmp_path / "in.png")
    vae = hyperacuity.load("vae-x2")
    outcome = write_samples(
        vae, tmp_path / "in.png", tmp_path / "out.png", 2, request=SampleRequest(3, seed=7),
        error_map=ErrorMapRequest(tmp_path / "map.png"),
    )  # fmt: skip
    names = ["out-sample-1.png", "out-sample-2.png", "out-sample-3.png", "out-spread.png"]
    assert [Path(name).name for name in outcome.samples] == names
    assert outcome.expected_errors is not None
    assert outcome.lr_psnr is not None
    made = np.stack([np.asarray(PIL.Image.open(tmp_path / name)) for name in names[:3]])
    np.testing.assert_array_equal(made, vae.samples(photo, 2, count=3, seed=7))
    mean = np.asarray(PIL.Image.open(tmp_path / "out.png"))
    np.testing.assert_array_equal(mean, np.rint(made.mean(0, dtype=np.float32)))
    spread = np.asarray(PIL.Image.open(tmp_path / "out-spread.png"))
    assert spread.dtype == np.uint16
    luma = made @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(spread / 256, luma.std(0, ddof=1), atol=0.02)


def test_a_failure_leaves_no_samples(photo: np.ndarray, tmp_path: Path) -> None:
    PIL.Image.fromarray(photo).save(tmp_path / "in.png")
    with pytest.raises(UsageError, match="exactly 2, 3 or 4 times"):
        write_samples(
            hyperacuity.load("vae-x2"), tmp_path / "in.png", tmp_path / "out.png", 2.5, request=SampleRequest(2),
            error_map=ErrorMapRequest(tmp_path / "map.png"),
        )  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ["in.png"]


def test_a_sample_that_exists_is_kept(photo: np.ndarray, tmp_path: Path) -> None:
    PIL.Image.fromarray(photo).save(tmp_path / "in.png")
    (tmp_path / "out-sample-2.png").write_bytes(b"mine")
    with pytest.raises(UsageError, match="exists"):
        write_samples(
            hyperacuity.load("vae-x2"), tmp_path / "in.png", tmp_path / "out.png", 2, request=SampleRequest(2)
        )
    assert (tmp_path / "out-sample-2.png").read_bytes() == b"mine"


def test_a_task_draws_samples(photo: np.ndarray, tmp_path: Path) -> None:
    PIL.Image.fromarray(photo).save(tmp_path / "in.png")
    task = Task(
        str(tmp_path / "in.png"), str(tmp_path / "out.png"), options=Options(model="vae-x2"),
        image=ImageOptions(samples=2, seed=7, temperature=0.5),
    )  # fmt: skip
    task = Task.from_json(task.to_json())
    outcome = run(task)
    assert outcome.error is None
    assert outcome.target == str(tmp_path / "out.png")
    assert len(outcome.samples) == 3
    assert type(outcome).from_json(outcome.to_json()) == outcome


@pytest.mark.parametrize(("count", "temperature"), [(1, 1.0), (101, 1.0), (5, -0.1), (5, 5.0)])
def test_counts_and_temperatures_have_limits(count: int, temperature: float) -> None:
    with pytest.raises(UsageError, match=r"samples|temperature"):
        SampleRequest(count, temperature=temperature)


def test_an_animation_has_no_samples(photo: np.ndarray, tmp_path: Path) -> None:
    frames = [PIL.Image.fromarray(photo), PIL.Image.fromarray(photo[::-1])]
    frames[0].save(tmp_path / "in.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(UsageError, match="single images"):
        write_samples(
            hyperacuity.load("vae-x2"), tmp_path / "in.gif", tmp_path / "out.gif", 2, request=SampleRequest(2)
        )


def test_names_of_many_samples_sort() -> None:
    names = [path.name for path in SamplePaths.next_to(Path("a.b.tif"), 12).samples]
    assert names == sorted(names)
    assert names[0] == "a.b-sample-01.tif"


def test_samples_need_no_pytorch(photo: np.ndarray, tmp_path: Path) -> None:
    import subprocess

    PIL.Image.fromarray(photo).save(tmp_path / "in.png")
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from hyperacuity.cli import main; sys.argv = ['hyperacuity', 'upscale', 'in.png',"
        " '-n', 'vae-x2', '-o', 'out.png', '--samples', '2', '--seed', '7', '--temperature', '1']; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out-spread.png").exists()
