"""What the measurements of a result mean, in plain English."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hyperacuity import zoo
from hyperacuity.inspection import Inspection, describe_reason
from hyperacuity.task import Outcome
from hyperacuity.trust import CONSISTENT, DEPARTING
from hyperacuity.zoo import Card


def sentences(outcome: Outcome, found: Inspection | None, cards: Sequence[Card], *, beyond: bool) -> list[str]:
    """Returns what a report says, the most important first.

    Args:
        outcome: What was measured of the result.
        found: The measurements of the input; None if there are none.
        cards: Of the models.
        beyond: Whether the input is not of the kind that the error map is calibrated for.
    """
    scale = outcome.after[1] / max(1, outcome.before[1])
    said = []
    if any(map(zoo.is_generative, cards)):
        said.append(
            "The model invents detail: sharp edges and texture of the result may never have existed. Do not read text, "
            "faces, numbers or defects from it that cannot be recognised in the input."
        )
    if outcome.samples:
        count = len(outcome.samples) - 1
        said.append(
            f"The result is the mean of {count} possible images, which fit the input alike; where they differ, the "
            "input does not decide. Their files, and one of their spread, are listed below."
        )
    said.append(
        f"The result is {scale:g} times as wide as its input: of {scale * scale:.0f} pixels, one was recorded and the "
        f"others are estimated. No detail finer than {scale:g} pixels is in the input; what is seen there is a guess."
    )
    if outcome.lr_psnr is not None:
        said.append(_consistency(outcome.lr_psnr))
    if outcome.expected_errors:
        said.append(_errors(outcome.expected_errors))
    if beyond and found is not None:
        said.append(
            f"The input is not clean ({describe_reason(found)}). The expected errors are calibrated for clean input: "
            "they do not include what noise, blur or compression hid, so the true errors are larger."
        )
    return said


def _consistency(lr_psnr: float) -> str:
    value = f"LR-PSNR {lr_psnr:.1f} dB"
    if lr_psnr >= CONSISTENT:
        return (
            f"Nothing of the input was lost: reduced to its size, the result equals it ({value}, 45 or more is equal)."
        )
    if lr_psnr >= DEPARTING:
        return f"Reduced to the size of the input, the result differs slightly from it ({value}, 45 or more is equal)."
    return (
        f"The result departs from its input: reduced to its size, it shows another image ({value}, below "
        f"{DEPARTING:.0f}). Do not take it for evidence."
    )


def _errors(shares: Mapping[str, float]) -> str:
    values = list(shares.values())
    small, large = sum(values[:2]), values[-1]
    return (
        f"In {small:.0%} of the pixels the brightness is probably right to within 4 of 255 grey levels, which hardly "
        f"shows; in {large:.0%} it may be off by 16 or more, which is a different shade. Probably means nine times out "
        "of ten; light places of the error map are the uncertain ones."
    )
