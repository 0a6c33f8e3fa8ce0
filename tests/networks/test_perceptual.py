from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn import functional

from hyperacuity.errors import UsageError, WeightsError
from hyperacuity.networks.perceptual import LPIPS, VGG19Features


@pytest.fixture
def files(shared: Path) -> tuple[Path, Path]:
    return shared / "weights/squeezenet1_1.safetensors", shared / "weights/lpips_squeeze_linear.pth"


def by_hand(squeezenet: dict[str, Tensor], linear: dict[str, Tensor], a: Tensor, b: Tensor) -> Tensor:
    """LPIPS straight from the weights' names, with nothing of ours."""

    def fire(x: Tensor, n: int) -> Tensor:
        def conv(y: Tensor, part: str) -> Tensor:
            weight = squeezenet[f"features.{n}.{part}.weight"]
            bias = squeezenet[f"features.{n}.{part}.bias"]
            return torch.relu(functional.conv2d(y, weight, bias, padding=weight.shape[-1] // 2))

        squeezed = conv(x, "squeeze")
        return torch.cat([conv(squeezed, "expand1x1"), conv(squeezed, "expand3x3")], 1)

    def looks(x: Tensor) -> list[Tensor]:
        x = (2 * x - 1 - torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1)) / torch.tensor(
            [0.458, 0.448, 0.450]
        ).view(1, 3, 1, 1)
        found = [
            torch.relu(functional.conv2d(x, squeezenet["features.0.weight"], squeezenet["features.0.bias"], stride=2))
        ]
        pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        x = fire(fire(pool(found[-1]), 3), 4)
        found.append(x)
        x = fire(fire(pool(x), 6), 7)
        found.append(x)
        x = pool(x)
        for n in (9, 10, 11, 12):
            x = fire(x, n)
            found.append(x)
        return found

    total = torch.zeros(len(a))
    for n, (first, second) in enumerate(zip(looks(a), looks(b), strict=True)):
        unit = [x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10) for x in (first, second)]
        total += functional.conv2d((unit[0] - unit[1]) ** 2, linear[f"lin{n}.model.1.weight"]).mean((1, 2, 3))
    return total


def test_lpips_is_what_its_weights_say(files: tuple[Path, Path]) -> None:
    torch.manual_seed(0)
    a = torch.rand(2, 3, 50, 61)
    b = (a + 0.2 * torch.randn_like(a)).clamp(0, 1)
    expected = by_hand(
        safetensors.torch.load_file(files[0]), torch.load(files[1], map_location="cpu", weights_only=True), a, b
    )
    found = LPIPS.from_files(*files)(a, b)
    torch.testing.assert_close(found, expected)
    assert found.min() > 0.01


def test_lpips_grows_with_noise_and_with_blur(files: tuple[Path, Path]) -> None:
    distance = LPIPS.from_files(*files)
    y, x = torch.meshgrid(torch.arange(96.0), torch.arange(96.0), indexing="ij")
    image = (0.5 + 0.4 * torch.sin(x / 4) * torch.sin(y / 6)).expand(1, 3, 96, 96)
    assert distance(image, image).item() == 0
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(0))
    noisy = [distance(image, image + e * noise).item() for e in (0.02, 0.05, 0.1)]
    blurred = [distance(image, functional.avg_pool2d(image, k, 1, k // 2)).item() for k in (3, 7, 15)]
    assert noisy == sorted(noisy)
    assert blurred == sorted(blurred)
    assert noisy[0] > 0


def test_wrong_files_and_small_pictures_are_told(files: tuple[Path, Path], tmp_path: Path) -> None:
    squeezenet, linear = files
    with pytest.raises(UsageError, match=r"there is no file .*give the path of torchvision's squeezenet1_1"):
        LPIPS.from_files(tmp_path / "none.pth", linear)
    with pytest.raises(
        WeightsError, match=r"has no features\.0\.weight .*give the path of torchvision's squeezenet1_1"
    ):
        LPIPS.from_files(linear, squeezenet)
    with pytest.raises(WeightsError, match=r"has no lin0\.model\.1\.weight .*give the path of LPIPS's linear weights"):
        LPIPS.from_files(squeezenet, squeezenet)
    with pytest.raises(UsageError, match="17 x 17 pixels or more"):
        LPIPS.from_files(*files)(torch.rand(1, 3, 16, 40), torch.rand(1, 3, 16, 40))
    assert LPIPS.from_files(*files)(torch.rand(1, 3, 17, 17), torch.rand(1, 3, 17, 17)).isfinite().all()


class Hostile:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path("run.txt"),)  # type: ignore[return-value]


def test_damaged_and_hostile_files_are_refused_and_not_run(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    whole = [path.read_bytes() for path in files]
    broken = {"page": b"<html>", "empty": b"", "safetensors cut": whole[0][:5000], "pth cut": whole[1][:5000]}
    for name, content in broken.items():
        (tmp_path / name).write_bytes(content)
    torch.save({"lin0.model.1.weight": Hostile()}, tmp_path / "hostile")
    torch.save([torch.zeros(1)], tmp_path / "list")
    for name in (*broken, "hostile", "list"):
        with pytest.raises(WeightsError, match=r"give the path of LPIPS's linear weights on SqueezeNet") as caught:
            LPIPS.from_files(files[0], tmp_path / name)
        assert "weights_only" not in str(caught.value)
    assert not (tmp_path / "run.txt").exists()


def test_lpips_takes_gradients_to_its_pictures_alone(files: tuple[Path, Path]) -> None:
    torch.manual_seed(0)
    distance = LPIPS.from_files(*files).double()
    a, b = torch.rand(2, 1, 3, 19, 17, dtype=torch.float64)
    assert torch.autograd.gradcheck(distance, (a.requires_grad_(), b.requires_grad_()), fast_mode=True)
    assert not any(parameter.requires_grad for parameter in distance.parameters())
    for grey in (0.0, 0.5, 1.0):
        flat = torch.full((1, 3, 24, 24), grey, dtype=torch.float64, requires_grad=True)
        (gradient,) = torch.autograd.grad(distance(flat, flat.detach()).sum(), flat)
        assert gradient.isfinite().all()


def test_lpips_is_symmetric_and_each_pair_its_own(files: tuple[Path, Path]) -> None:
    torch.manual_seed(0)
    distance = LPIPS.from_files(*files)
    a, b = torch.rand(2, 3, 3, 32, 40)
    torch.testing.assert_close(distance(a, b), distance(b, a))
    torch.testing.assert_close(distance(a, b), torch.cat([distance(a[n : n + 1], b[n : n + 1]) for n in range(3)]))


# Positions in torchvision's vgg19().features: two or four convolutions, each with its ReLU, then a pooling.
TORCHVISION = {"conv1_2": 2, "conv2_2": 7, "conv3_4": 16, "conv4_4": 25, "conv5_4": 34}


def torchvision_vgg19() -> nn.Sequential:
    layers: list[nn.Module] = []
    inputs = 3
    for outputs in (64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512, 512, 512, 512, 0):
        if outputs:
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]
            inputs = outputs
        else:
            layers += [nn.MaxPool2d(2)]
    return nn.Sequential(*layers)


def test_vgg_features_are_those_of_torchvisions_layers(tmp_path: Path) -> None:
    torch.manual_seed(0)
    theirs = torchvision_vgg19()
    torch.save({f"features.{name}": value for name, value in theirs.state_dict().items()}, tmp_path / "vgg19.pth")
    x = torch.rand(1, 3, 32, 48)
    normal = (x - torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)) / torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    for after in (False, True):
        network = VGG19Features.from_file(tmp_path / "vgg19.pth", list(TORCHVISION), after_activation=after)
        found = network(x)
        assert list(found) == list(TORCHVISION)
        for name, number in TORCHVISION.items():
            torch.testing.assert_close(found[name], theirs[: number + 1 + after](normal))
        assert not any(parameter.requires_grad for parameter in network.parameters())


def test_vgg_says_which_file_and_which_layers_it_needs(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no file .*: give the path of torchvision's VGG19 weights"):
        VGG19Features.from_file(tmp_path / "vgg.pth", ["conv5_4"])
    with pytest.raises(UsageError, match=r"no layer 'conv5_5'.*Did you mean"):
        VGG19Features(["conv5_5"])
    torch.save({"features.0.weight": torch.zeros(1)}, tmp_path / "vgg.pth")
    with pytest.raises(
        WeightsError, match=r"has no features\.0\.weight .*give the path of torchvision's VGG19 weights"
    ):
        VGG19Features.from_file(tmp_path / "vgg.pth", ["conv1_1"])
    with pytest.raises(UsageError, match="at least one layer"):
        VGG19Features([])


def test_vgg_needs_pixels_for_its_poolings_and_no_layer_beyond_the_deepest(tmp_path: Path) -> None:
    network = VGG19Features(["conv2_2", "conv1_1"])
    assert list(network.features) == ["conv1_1", "conv1_2", "conv2_1", "conv2_2"]
    assert list(network(torch.rand(1, 3, 2, 2))) == ["conv1_1", "conv2_2"]
    with pytest.raises(UsageError, match=r"conv2_2 needs 2 x 2 pixels or more; got \(1, 9\)"):
        network(torch.rand(1, 3, 1, 9))
    # The same weights from a safetensors file give the same features.
    state = {f"features.{n}.{part}": value for n, part, value in numbered(network)}
    safetensors.torch.save_file(state, tmp_path / "vgg19.safetensors")
    x = torch.rand(1, 3, 8, 8)
    again = VGG19Features.from_file(tmp_path / "vgg19.safetensors", ["conv2_2"])
    assert torch.equal(again(x)["conv2_2"], network(x)["conv2_2"])


def numbered(network: VGG19Features) -> Iterator[tuple[int, str, Tensor]]:
    for n, layer in zip((0, 2, 5, 7), network.features.values(), strict=True):
        for part, value in layer.state_dict().items():
            yield n, part, value
