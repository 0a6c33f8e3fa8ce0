"""What the measurements of a result mean, in plain English."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hyperacuity import zoo
from hyperacuity.inspection import Inspection, describe_reason
from hyperacuity.task import Outcome
from hyperacuity.trust import CONSISTENT, DEPARTING
from hyperacuity.zoo import Card

# From this LR-PSNR on a difference hardly shows, in dB.
_SLIGHTLY = 38.0


def sentences(
    outcome: Outcome, found: Inspection | None, cards: Sequence[Card], *, beyond: bool, general: bool
) -> list[str]:
    """Returns what a report says, the most important first.

    Args:
        outcome: What was measured of the result.
        found: The measurements of the input; None if there are none.
        cards: Of the models.
        beyond: Whether the input is not of the kind that the error map is calibrated for.
        general: Whether the error map is not calibrated for the model, but for models in general.
    """
    said = []
    if any(map(zoo.is_generative, cards)):
        said.append(
            "The model invents detail: sharp edges and texture of the result may never have existed. Do not read text, "
            "faces, numbers or defects from it that cannot be recognised in the input."
        )
    elif any(map(zoo.restores, cards)):
        said.append(
            "The model removes noise, blur and traces of compression. What it removed may have been fine detail, and "
            "what it sharpened may be wrong."
        )
    if outcome.samples:
        count = len(outcome.samples) - 1
        said.append(
            f"The result is the mean of {count} possible images, which fit the input alike; where they differ, the "
            "input does not decide. Their files, and one of their spread, are listed below."
        )
    said.append(_resolution(outcome))
    if outcome.lr_psnr is not None:
        said.append(_consistency(outcome.lr_psnr))
    if outcome.expected_errors:
        said.append(_errors(outcome.expected_errors))
        if general:
            said.append(
                "This model was not measured: the expected errors are those of models for clean images in general, so "
                "they may be exceeded more often than one time in ten."
            )
    else:
        said.append(
            "How large the errors are was not estimated: that is possible only for results that are exactly 2, 3 or 4 "
            "times as large as their input."
        )
    if beyond and found is not None:
        said.append(f"The input is not clean ({describe_reason(found)}). " + _beyond(outcome))
    return said


def _resolution(outcome: Outcome) -> str:
    """How many pixels are estimated, and from where on detail is a guess."""
    (height, width), (tall, wide) = outcome.before, outcome.after
    scale, pixels = wide / max(1, width), tall * wide / max(1, height * width)
    if pixels <= 1:
        return "The result has as many pixels as its input, with changed values."
    return (
        f"The result is {scale:.3g} times as wide as its input: for each pixel that was recorded it has {pixels:.3g}, "
        f"which are estimated. No detail finer than {scale:.3g} pixels is in the input; what is seen there is a guess."
    )


def _beyond(outcome: Outcome) -> str:
    if not outcome.expected_errors:
        return "What noise, blur or compression hid is lost."
    return (
        "The expected errors are calibrated for clean input: they do not include what noise, blur or compression hid, "
        "so the true errors are larger."
    )


def _consistency(lr_psnr: float) -> str:
    value = f"LR-PSNR {lr_psnr:.1f} dB"
    if lr_psnr >= CONSISTENT:
        return (
            "The result agrees with its input: reduced to the input's size, it differs from it by less than can be "
            f"seen ({value}; {CONSISTENT:.0f} or more is as good as equal)."
        )
    if lr_psnr >= DEPARTING:
        degree = "slightly" if lr_psnr >= _SLIGHTLY else "visibly"
        return (
            f"Reduced to the size of the input, the result differs {degree} from it ({value}; {CONSISTENT:.0f} or more "
            "is as good as equal)."
        )
    return (
        f"The result departs from its input: reduced to the input's size, it is clearly different ({value}, below "
        f"{DEPARTING:.0f}). Do not take it for evidence."
    )


def _errors(shares: Mapping[str, float]) -> str:
    values = list(shares.values())
    small, large = sum(values[:2]), values[-1]
    return (
        f"In {_share(small)} of the pixels the brightness is probably right to within 4 of 255 grey levels, which "
        f"hardly shows; in {_share(large)} it may be off by 16 or more, which is a different shade. Probably means "
        "nine times out of ten; light places of the error map are the uncertain ones."
    )


def _share(value: float) -> str:
    """A share in words; small ones are not rounded to nothing, nor large ones to all.

    Example:
        >>> _share(0.001), _share(0.5), _share(0.999), _share(0.0)
        ('less than 1%', '50%', 'more than 99%', 'none')
    """
    if value <= 0:
        return "none"
    if value < 0.01:
        return "less than 1%"
    return "all" if value >= 1 else "more than 99%" if value > 0.99 else f"{value:.0%}"
