"""Networks that take statistics of the whole image: their card states it, and they read it in one piece if it fits."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from hyperacuity import export
from hyperacuity.image import Image
from hyperacuity.networks import build
from hyperacuity.pipeline import Pipeline, Stage, TilingWarning
from hyperacuity.zoo import Card
from tests.engines import Blur


class Levelled(Blur):
    """Subtracts the mean of its whole input."""

    def run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        result: NDArray[np.float32] = super().run(batch) - batch.mean(dtype=np.float64).astype(np.float32) / 16
        return result


def ramp_image() -> Image:
    height, width = 600, 500
    ramp = np.linspace(0.2, 0.8, height * width * 3, dtype=np.float32).reshape(height, width, 3)
    return Image.from_pixels(ramp)


def enlarged(engine: Blur, *, whole: bool = True, tile: int | None = None) -> NDArray[np.float32]:
    pixels: NDArray[np.float32] = (
        Pipeline([Stage(engine, "levelled", whole=whole)], tile=tile).stream(ramp_image(), 1200, 1000).gather().pixels
    )
    return pixels


def test_a_whole_image_is_computed_in_one_piece_if_memory_allows() -> None:
    engine = Levelled(activation_bytes=1000)
    result = enlarged(engine)
    assert engine.runs == [(1, 3, 600, 500)]
    np.testing.assert_array_equal(result, enlarged(Levelled(), tile=0))
    others = Levelled(activation_bytes=1000)
    enlarged(others, whole=False)
    assert len(others.runs) > 1


@pytest.mark.parametrize("engine", [Levelled(activation_bytes=1000, free=300 << 20), Levelled(most_pixels=200_000)])
def test_without_enough_memory_it_is_tiled_with_one_warning(engine: Levelled) -> None:
    with pytest.warns(TilingWarning, match="levelled takes statistics of the whole image") as warned:
        result = enlarged(engine)
    assert len(warned) == 1
    assert len(engine.runs) > 1
    assert 0 < np.abs(result - enlarged(Levelled(), tile=0)).max() < 0.05


def test_requested_tiles_are_warned_about_too() -> None:
    with pytest.warns(TilingWarning):
        enlarged(Levelled(), tile=128)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        enlarged(Levelled(), tile=1024)


def test_the_card_states_whether_a_network_needs_the_whole_image() -> None:
    assert export.measure_network(build("imdn", {"features": 16, "blocks": 1}))["whole"] is True
    assert export.measure_network(build("fsrcnn", {}))["whole"] is False


def test_a_card_from_before_the_field_still_loads() -> None:
    card = Card("imdn-x2", "imdn", 2, "RGB", "none", "none", "none", whole=True)
    metadata = card.to_metadata()
    assert Card.from_metadata(metadata) == card
    content = json.loads(metadata["hyperacuity"])
    del content["whole"]
    assert Card.from_metadata({"hyperacuity": json.dumps(content)}) == replace(card, whole=False)
