from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hyperacuity.inspection import CRITERIA, Inspection, Verdict, decide, describe_limits, describe_reason, inspect
from tests.inspection import made

SHARP = Inspection(400, 600, noise=1.0, bandwidth=1.0)


@pytest.mark.parametrize(
    ("changes", "verdict", "reason"),
    [
        ({}, "clean", "clean"),
        ({"bandwidth": None}, "clean", "clean"),
        ({"jpeg_quality": 95}, "clean", "clean"),
        ({"jpeg_quality": 85}, "between", "JPEG quality 85"),
        ({"jpeg_quality": 42, "noise": 5.2}, "dirty", "JPEG quality 42, noise 5"),
        ({"jpeg_quality": 42, "blockiness": 2.0}, "dirty", "JPEG quality 42"),
        ({"jpeg_quality": 96, "blockiness": 2.0}, "dirty", "blocks of JPEG"),
        ({"webp_quality": 90}, "clean", "clean"),
        ({"webp_quality": 75}, "between", "WebP quality 75"),
        ({"webp_quality": 40, "noise": 3.0}, "dirty", "WebP quality 40, noise 3"),
        ({"avif_quality": 75}, "clean", "clean"),
        ({"avif_quality": 55}, "between", "AVIF quality 55"),
        ({"avif_quality": 55, "noise": 3.0}, "dirty", "AVIF quality 55, noise 3"),
        ({"avif_quality": 32}, "dirty", "AVIF quality 32"),
        ({"noise": 3.1}, "between", "noise 3"),
        ({"noise": 12.0}, "dirty", "noise 12"),
        ({"noise": 12.0, "grain": 0.9}, "dirty", "noise 12"),
        ({"noise": 12.0, "grain": 0.2}, "clean", "clean"),
        ({"noise": 12.0, "grain": 0.2, "jpeg_quality": 95}, "clean", "clean"),
        ({"noise": 12.0, "grain": 0.2, "blockiness": 0.1, "grid": (0, 0)}, "dirty", "noise 12"),
        ({"noise": 12.0, "grain": 0.2, "traces": 0.55}, "dirty", "noise 12"),
        ({"noise": 12.0, "grain": 0.2, "jpeg_quality": 85}, "dirty", "JPEG quality 85, noise 12"),
        ({"blockiness": 0.45, "grid": (3, 5)}, "between", "blocks of JPEG"),
        ({"blockiness": 0.45, "grid": (3, 5), "jpeg_quality": 95}, "dirty", "blocks of JPEG"),
        ({"blockiness": 0.4}, "between", "blocks of JPEG"),
        ({"bandwidth": 0.7}, "between", "blurred or enlarged before"),
        ({"bandwidth": 0.7, "jpeg_quality": 88}, "between", "JPEG quality 88, blurred or enlarged before"),
        ({"noise": 3.1, "jpeg_quality": 88}, "dirty", "JPEG quality 88, noise 3"),
        ({"noise": 3.1, "blockiness": 0.4}, "dirty", "noise 3, blocks of JPEG"),
        ({"blockiness": 0.4, "jpeg_quality": 88}, "between", "JPEG quality 88"),
        ({"bandwidth": 0.4, "noise": 3.0}, "dirty", "noise 3, blurred or enlarged before"),
        ({"traces": 0.55}, "clean", "clean"),
        ({"traces": 0.65}, "between", "traces of lossy compression"),
        ({"traces": 0.65, "noise": 3.0}, "dirty", "traces of lossy compression, noise 3"),
        ({"traces": 0.9}, "dirty", "traces of lossy compression"),
        ({"traces": 0.9, "jpeg_quality": 95}, "dirty", "traces of lossy compression"),
        ({"traces": 0.9, "webp_quality": 75}, "between", "WebP quality 75"),
        ({"traces": 0.9, "blockiness": 0.4}, "dirty", "blocks of JPEG"),
        ({"traces": 0.9, "bandwidth": 0.7}, "dirty", "blurred or enlarged before"),
    ],
)
def test_the_worst_measurement_decides(changes: dict[str, Any], verdict: Verdict, reason: str) -> None:
    found = replace(SHARP, **changes)
    assert decide(found) == verdict
    assert describe_reason(found) == reason


@pytest.mark.parametrize("name", CRITERIA)
def test_thresholds_are_ordered(name: str) -> None:
    one = CRITERIA[name]
    assert (one.dirty < one.between) == one.falling


@pytest.mark.parametrize(
    ("height", "width", "bandwidth", "sentence"),
    [
        (20, 30, None, "30 x 20 pixels hold too little"),
        (400, 600, 1.0, ""),
        (400, 600, 0.5, "it was blurred or enlarged before: an image of 50% of its size would hold the same details"),
        (4000, 6000, 1.0, "its 24 megapixels are enough for a print of 42 x 30 cm"),
    ],
)
def test_unusual_images_get_one_sentence(height: int, width: int, bandwidth: float | None, sentence: str) -> None:
    found = describe_limits(Inspection(height, width, bandwidth=bandwidth))
    assert found.startswith(sentence)
    assert bool(found) == bool(sentence)


def test_made_faults_have_the_expected_verdicts() -> None:
    photo = made.photo()
    expected: list[tuple[Any, Verdict]] = [
        (photo, "clean"),
        (made.jpeg(photo, 95), "clean"),
        (made.jpeg(photo, 85), "between"),
        (made.jpeg(photo, 60), "dirty"),
        (made.jpeg(made.decoded(made.jpeg(made.noisy(photo, 2), 40)), 95), "dirty"),
        (made.webp(photo, lossless=True), "clean"),
        (made.webp(photo, quality=40), "dirty"),
        (made.noisy(photo, 3.5), "between"),
        (made.noisy(photo, 9), "dirty"),
        (made.blurred(photo, 0.6), "between"),
        (made.blurred(photo, 1.5), "dirty"),
        (made.enlarged(photo, 2.5), "dirty"),
        (made.jpeg(made.screenshot(), 50), "dirty"),
    ]
    assert [decide(inspect(image)) for image, _ in expected] == [verdict for _, verdict in expected]
