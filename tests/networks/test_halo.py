"""The halo and the need for the whole image, as measured for the card."""

from __future__ import annotations

from tests.test_networks import built

from hyperacuity import export
from hyperacuity.networks import NETWORKS, build


def test_the_halo_of_windows_is_measured_from_their_edges() -> None:
    """Three 3x3 convolutions behind the shifted windows, which end 4 pixels beyond those in place, and one before."""
    assert export.measure_halo(built("swinir")) == 8 + 1


def test_a_halo_beyond_the_probe_is_measured_on_strips() -> None:
    network = build("edsr", {"blocks": 24, "width": 4})
    assert export.measure_halo(network) > 48


def test_the_halo_of_imdn_is_that_of_its_convolutions() -> None:
    assert export.measure_halo(built("imdn")) == 1 + 2 * 4 + 1 + 1


def test_those_that_look_at_the_whole_picture_say_so() -> None:
    for name in NETWORKS:
        assert (name in ("dat", "imdn", "rcan")) == any(
            getattr(module, "whole", False) for module in built(name).modules()
        )


def test_real_plksr_takes_statistics_and_plksr_does_not() -> None:
    assert export.measure_network(built("plksr", norm=True, activation="mish"))["whole"] is True
    assert export.measure_network(built("plksr"))["whole"] is False


def test_the_halo_of_plksr_is_that_of_its_kernels() -> None:
    """A convolution before and after the blocks; in each block a mixer of two, the large kernel and the attention."""
    assert export.measure_halo(built("plksr")) == 1 + 2 * (1 + 1 + 2 + 1) + 1


def test_the_halo_of_rcan_is_that_of_its_convolutions() -> None:
    """The head, two blocks of two, the ends of the group and of the body, and the last before and after a shuffle."""
    assert export.measure_halo(built("rcan")) == 1 + 2 * 2 + 1 + 1 + 1 + 1
