"""Colour stated by codes and numbers: ICC profiles made of it, checked by LittleCMS, or a warning."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray
from PIL import ImageCms

from hyperacuity.formats import LossWarning
from hyperacuity.formats.photo.icc_profile import made_profile
from hyperacuity.image import Image, Item, Metadata, StatedColour
from tests.formats.samples import gradient, noise, save, saved

P3 = StatedColour(12, 13)
ADOBE = StatedColour(gamma=45470, chromaticities=(31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000))


def shown(profile: bytes, rgb: tuple[int, ...]) -> NDArray[np.float64]:
    """A colour as LittleCMS turns it to L*a*b*."""
    picture = PIL.Image.new("RGB" if len(rgb) == 3 else "L", (1, 1), rgb if len(rgb) == 3 else rgb[0])
    made = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    transform = ImageCms.buildTransform(
        made, ImageCms.createProfile("LAB"), picture.mode, "LAB", ImageCms.Intent.RELATIVE_COLORIMETRIC
    )
    lab = np.asarray(ImageCms.applyTransform(picture, transform))[0, 0]
    return np.array([float(lab[0]) * 100 / 255, *lab[1:].astype(np.int8)])


@pytest.mark.parametrize(
    ("colour", "rgb", "lab"),
    [
        # By the sample code of CSS Color 4, which adapts to D50.
        (P3, (255, 0, 0), (56.2, 94.5, 98.9)),
        (P3, (0, 255, 0), (87.3, -107, 105)),
        (StatedColour(9, 14), (0, 255, 0), (85.8, -128, 109.2)),
        (StatedColour(1, 13), (0, 0, 255), (29.6, 68, -112)),
        (ADOBE, (0, 255, 0), (83.2, -128, 87)),
        (ADOBE, (128, 128, 128), (54.0, 0, 0)),
        (StatedColour(1, 13), (119, 119, 119), (50.0, 0, 0)),
        (StatedColour(1, 8), (128, 128, 128), (76.2, 0, 0)),
    ],
)
def test_profiles_show_what_is_stated(colour: StatedColour, rgb: tuple[int, ...], lab: tuple[float, ...]) -> None:
    profile = made_profile(colour, grey=False)
    assert len(profile) < 700
    expected = np.maximum(lab, -128)
    np.testing.assert_allclose(shown(profile, rgb), expected, atol=2)
    np.testing.assert_allclose(shown(profile, (255, 255, 255)), (100, 0, 0), atol=0.6)


def test_profiles_of_pq_and_hlg_have_the_codes_and_show_reference_white_as_white() -> None:
    for transfer, white in ((16, 0.58), (18, 0.75)):
        profile = made_profile(StatedColour(9, transfer), grey=False)
        at = profile.index(b"cicp\0\0\0\0") + 8
        assert profile[at : at + 4] == bytes([9, transfer, 0, 1])
        assert profile[8:10] == b"\4\x40"
        level = round(white * 255)
        np.testing.assert_allclose(shown(profile, (level,) * 3), (100, 0, 0), atol=4)
        assert shown(profile, (level + 8,) * 3)[0] == 100
        assert shown(profile, (level - 26,) * 3)[0] < 90


def test_grey_profiles_have_the_curve() -> None:
    profile = made_profile(StatedColour(gamma=100000), grey=True)
    np.testing.assert_allclose(shown(profile, (128,))[0], 76.2, atol=1)


@pytest.mark.filterwarnings("ignore:.*256 colours")
@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".tif", ".bmp", ".gif"])
def test_formats_without_codes_get_a_profile(suffix: str, tmp_path: Path) -> None:
    items = (Item("chunk cICP", "colour codes (cICP)", "colour"),)
    image = gradient(metadata=Metadata(colour=P3, items=items))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", ".*256 colours")
        back = saved(tmp_path / f"a{suffix}", image)
    assert back.header.metadata.icc == made_profile(P3, grey=False)
    grey = Image.from_pixels(noise(1), metadata=Metadata(colour=StatedColour(gamma=100000)))
    assert saved(tmp_path / f"b{suffix}", grey).header.metadata.icc is not None
    with pytest.warns(LossWarning, match=r"states BT.2020 HLG only by the cicp tag"):
        saved(tmp_path / f"c{suffix}", gradient(metadata=Metadata(colour=StatedColour(9, 18))))


def test_what_no_profile_can_state_is_named(tmp_path: Path) -> None:
    for colour, name in (
        (StatedColour(9, 9), "BT.2020 logarithmic"),
        (StatedColour(12, 13, full_range=False), "Display P3, video range"),
        (StatedColour(gamma=45455, chromaticities=(0, 1, 0, 1, 0, 1, 0, 1)), "gamma 2.2, own primaries"),
    ):
        with pytest.warns(LossWarning, match=rf"not carried over.*colour \({name}\)"):
            save(tmp_path / "a.jpg", gradient(metadata=Metadata(colour=colour)))
    with pytest.warns(LossWarning, match=r"not carried over.*colour \(Display P3\)"):
        save(tmp_path / "a.ppm", gradient(metadata=Metadata(colour=P3)))


def test_avif_gets_a_profile_for_what_codes_cannot_state(tmp_path: Path) -> None:
    back = saved(tmp_path / "a.avif", gradient(metadata=Metadata(colour=ADOBE)))
    assert back.header.metadata.icc == made_profile(ADOBE, grey=False)
    with pytest.warns(LossWarning, match="cannot state that RGB values have the range of video"):
        save(tmp_path / "b.avif", gradient(metadata=Metadata(colour=StatedColour(9, 16, full_range=False))))
