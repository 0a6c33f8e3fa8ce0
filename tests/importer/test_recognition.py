"""Which network weights are for, of published files and of our own, and what they leave open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from tests.importer.checkpoints import bare, saved
from tests.networks.test_published_weights import BICUBIC, set5
from tests.test_networks import built

from hyperacuity import importer
from hyperacuity.errors import UsageError, Use, WeightsError
from hyperacuity.networks import NETWORKS, build
from hyperacuity.zoo import Card

# Every file of weights/: its network and config, or a part of the message that refuses it.
PUBLISHED: dict[str, tuple[str, dict[str, Any]] | str] = {
    "EDSR_8blocks_x2_krasserm.safetensors": ("edsr", {"scale": 2, "blocks": 8, "rgb_range": 2.0}),
    "ESPCN_nhat-thanh_x3.pt": ("espcn", {"scale": 3, "channels": 3, "activation": "tanh"}),
    "ESPCN_nhat-thanh_x4.pt": ("espcn", {"scale": 4, "channels": 3, "activation": "tanh"}),
    "FSRCNN_yjn870_x2.pth": ("fsrcnn", {"scale": 2, "d": 56, "s": 12, "m": 4}),
    "FSRCNN_yjn870_x4.pth": ("fsrcnn", {"scale": 4, "d": 56, "s": 12, "m": 4}),
    "IMDN_x2.pth": ("imdn", {"scale": 2, "features": 64, "blocks": 6, "reduction": 16}),
    "IMDN_x3.pth": ("imdn", {"scale": 3, "features": 64, "blocks": 6, "reduction": 16}),
    "IMDN_x4.pth": ("imdn", {"scale": 4, "features": 64, "blocks": 6, "reduction": 16}),
    "RRDB_PSNR_x4_fp16.safetensors": ("rrdb", {"scale": 4, "features": 64, "growth": 32, "blocks": 23}),
    "SRCNN_9-1-5_official_x2_range255.safetensors": ("srcnn", {"middle": 1, "padding": "replicate"}),
    "SRGAN_leftthomas_x2.pth": ("srresnet", {"scale": 2, "blocks": 5, "joint": "prelu", "output": "tanh"}),
    "SRGAN_leftthomas_x4.pth": ("srresnet", {"scale": 4, "blocks": 5, "joint": "prelu", "output": "tanh"}),
    "SRResNet_8blocks_x4.safetensors": ("srresnet", {"scale": 4, "blocks": 8, "joint": "norm"}),
    "VDSR_official.safetensors": ("vdsr", {"depth": 20, "width": 64}),
    "VDSR_twtygqyy_whole_module_pickle.pth": "run the code of vdsr.Net",
    "lpips_squeeze_linear.pth": "LPIPS",
    "realesr-animevideov3.safetensors": ("compact", {"scale": 4, "convs": 16, "activation": "prelu"}),
    "realesr-general-x4v3.safetensors": ("compact", {"scale": 4, "convs": 32, "activation": "prelu"}),
    "squeezenet1_1.safetensors": "a classifier",
}


def test_every_published_file_is_in_the_table(shared: Path) -> None:
    assert PUBLISHED.keys() == {path.name for path in (shared / "weights").iterdir()}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_weights(shared: Path, name: str) -> None:
    expected = PUBLISHED[name]
    if isinstance(expected, str):
        with pytest.raises(WeightsError, match=expected):
            importer.recognise_file(shared / "weights" / name)
        return
    found = importer.recognise_file(shared / "weights" / name)
    assert found.architecture == expected[0]
    assert found.config.items() >= expected[1].items()
    network = build(found.architecture, found.config)
    network.load_state_dict(found.weights)
    assert all(value.dtype == torch.float32 for value in network.parameters())


# Our own names. What no weights say: where it is not the network's default, it must be given.
UNSAID = {"activation", "beta", "output", "padding", "residual", "rgb_mean", "rgb_range", "split"}


@pytest.mark.parametrize("name", NETWORKS)
def test_our_own_state_dicts(name: str, tmp_path: Path) -> None:
    network, weights = bare(name)
    path = saved({"state_dict": weights}, tmp_path / "some-x2.ckpt")
    unsaid = {field: value for field, value in NETWORKS[name].small.items() if field in UNSAID}
    found = importer.recognise_file(path, architecture=name, settings=unsaid)
    again = build(name, found.config)
    again.load_state_dict(found.weights)
    channels: int = network.channels  # type: ignore[assignment]
    x = torch.rand(1, channels, 16, 16)
    with torch.inference_mode():
        torch.testing.assert_close(again.eval()(x), network.eval()(x), rtol=0, atol=0)


def test_two_networks_with_the_same_weights_are_asked_about(tmp_path: Path) -> None:
    path = saved(built("transposed").state_dict(), tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="transposed and of residual_transposed") as caught:
        importer.recognise_file(path)
    assert caught.value.cures == (Use(architecture="transposed"), Use(architecture="residual_transposed"))
    assert importer.recognise_file(path, architecture="residual_transposed").config["scale"] == 2
    with pytest.raises(UsageError, match="Did you mean 'transposed'"):
        importer.recognise_file(path, architecture="transpose")


@pytest.mark.parametrize(
    ("name", "scale", "figure"),
    [
        ("FSRCNN_yjn870_x2.pth", 2, 37.11),
        ("SRCNN_9-1-5_official_x2_range255.safetensors", 2, 36.33),
        pytest.param("VDSR_official.safetensors", 2, 37.53, marks=pytest.mark.slow),
        pytest.param("EDSR_8blocks_x2_krasserm.safetensors", 2, 37.80, marks=pytest.mark.slow),
        pytest.param("SRResNet_8blocks_x4.safetensors", 4, 31.88, marks=pytest.mark.slow),
        pytest.param("SRGAN_leftthomas_x2.pth", 2, None, marks=pytest.mark.slow),  # trained for no figure
        pytest.param("SRGAN_leftthomas_x4.pth", 4, None, marks=pytest.mark.slow),
        pytest.param("IMDN_x4.pth", 4, 32.21, marks=pytest.mark.slow),
        pytest.param("RRDB_PSNR_x4_fp16.safetensors", 4, 32.73, marks=pytest.mark.slow),
    ],
)
def test_what_is_imported_gives_the_figures_of_others(
    shared: Path, name: str, scale: int, figure: float | None
) -> None:
    """Set5; where the figures come from, tests/networks/test_published_weights.py says."""
    found = importer.recognise_file(shared / "weights" / name)
    network = build(found.architecture, found.config)
    network.load_state_dict(found.weights)
    measured = set5(network, shared, scale)
    assert measured > BICUBIC[scale] + 1 if figure is None else measured == pytest.approx(figure, abs=0.03)


def test_counters_of_normalisations_are_as_our_network_wants_them(tmp_path: Path) -> None:
    weights = built("srresnet").state_dict()
    without = {name: value for name, value in weights.items() if not name.endswith("num_batches_tracked")}
    assert importer.recognise_file(saved(without, tmp_path / "a.pth")).weights.keys() == weights.keys()
    more = built("espcn").state_dict() | {"norm.num_batches_tracked": torch.tensor(3)}
    assert importer.recognise_file(saved(more, tmp_path / "b.pth")).architecture == "espcn"


# What the weights do not say.


def test_the_scale_of_fsrcnn_is_asked_for(tmp_path: Path) -> None:
    weights = built("fsrcnn").state_dict()
    with pytest.raises(UsageError, match=r"the scale \(2, 3, 4, .*NAME-x2") as caught:
        importer.recognise_file(saved(weights, tmp_path / "fsrcnn.pth"))
    assert caught.value.cures == (Use(scale=2),)
    assert importer.recognise_file(tmp_path / "fsrcnn.pth", scale=3).config["scale"] == 3
    assert importer.recognise_file(saved(weights, tmp_path / "fsrcnn_x4.pth")).config["scale"] == 4
    assert importer.recognise_file(tmp_path / "fsrcnn_x4.pth", scale=3).config["scale"] == 3
    with pytest.raises(UsageError, match="cannot enlarge x30"):
        importer.recognise_file(tmp_path / "fsrcnn.pth", scale=30)


def test_a_scale_that_the_weights_contradict(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="enlarge x2, not x4"):
        importer.recognise_file(saved(built("espcn").state_dict(), tmp_path / "w.pth"), scale=4)


def test_networks_on_an_enlarged_image_say_how_much(tmp_path: Path) -> None:
    vdsr = saved(built("vdsr").state_dict(), tmp_path / "w.pth")
    assert importer.recognise_file(vdsr).enlarged == (2, 3, 4)
    assert importer.recognise_file(vdsr, scale=3).enlarged == (3,)
    srcnn = built("srcnn").state_dict()
    with pytest.raises(UsageError, match="how much enlarged"):
        importer.recognise_file(saved(srcnn, tmp_path / "srcnn.pth"))
    assert importer.recognise_file(saved(srcnn, tmp_path / "srcnn-x4.pth")).enlarged == (4,)


def test_an_activation_without_weights_is_asked_for(tmp_path: Path) -> None:
    path = saved(built("compact", activation="relu").state_dict(), tmp_path / "w.pth")
    with pytest.raises(UsageError, match="do not determine their activation") as caught:
        importer.recognise_file(path)
    assert caught.value.cures == tuple(Use(settings={"activation": each}) for each in ("relu", "leakyrelu"))
    assert importer.recognise_file(path, settings={"activation": "leakyrelu"}).config["activation"] == "leakyrelu"
    with pytest.raises(WeightsError, match="cannot be built"):
        importer.recognise_file(path, settings={"activation": "relu", "colour": 3})


# Names and files.


def test_a_card_says_what_weights_do_not(tmp_path: Path) -> None:
    """Settings given explicitly have precedence; a contradicting scale or architecture is refused."""
    card = Card(
        "a", "compact", 2, "RGB", "", "", "", config={**NETWORKS["compact"].small, "scale": 2, "activation": "relu"}
    )
    path = tmp_path / "a.safetensors"
    weights = built("compact", scale=2, activation="relu").state_dict()
    path.write_bytes(safetensors.torch.save(weights, card.to_metadata()))
    assert importer.recognise_file(path).config["activation"] == "relu"
    assert importer.recognise_file(path, settings={"activation": "leakyrelu"}).config["activation"] == "leakyrelu"
    for contradiction in ({"scale": 3}, {"architecture": "espcn"}):
        with pytest.raises(UsageError, match="its card says compact, x2"):
            importer.recognise_file(path, **contradiction)
