"""From measurements to a verdict: all thresholds, and what is said about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from hyperacuity.inspection.record import Inspection

Verdict = Literal["clean", "between", "dirty"]


@dataclass(frozen=True)
class Criterion:
    """One measurement and its thresholds.

    Attributes:
        measure: Returns the measurement; None where it does not exist.
        between: From here on an image is no longer clean.
        dirty: From here on it is dirty.
        describe: Returns the measurement in words.
        falling: Whether smaller values are worse.
    """

    measure: Callable[[Inspection], float | None]
    between: float
    dirty: float
    describe: Callable[[Inspection], str]
    falling: bool = False

    def judge(self, inspection: Inspection) -> Verdict:
        """Returns the verdict of this measurement alone."""
        value = self.measure(inspection)
        if value is None:
            return "clean"
        sign = -1 if self.falling else 1
        reached = [sign * value >= sign * limit for limit in (self.between, self.dirty)]
        return "dirty" if reached[1] else "between" if reached[0] else "clean"


# Blocks of a JPEG that was cropped and compressed again are lowered by that, by about this factor.
_LOWERED = 1.4


def _block_strength(found: Inspection) -> float:
    moved = found.jpeg_quality is not None and found.grid not in (None, (0, 0))
    return found.blockiness * (_LOWERED if moved else 1)


def _states_quality(found: Inspection) -> bool:
    """Whether the file itself says that it was compressed at less than a high quality."""
    return any(CRITERIA[name].judge(found) != "clean" for name in ("jpeg", "webp", "avif"))


def _unstated_traces(found: Inspection) -> float | None:
    """The traces that the file's own quality does not explain."""
    return None if _states_quality(found) else found.traces


def _noise(found: Inspection) -> float:
    """The noise, unless it is more likely to be texture; compression leaves nothing to distinguish them by."""
    compressed = _states_quality(found) or found.grid is not None or (found.traces or 0) >= 0.5
    texture = found.grain is not None and found.grain < 0.5
    return 0.0 if texture and not compressed else found.noise


# Measured on Kodak24, its images made small by 2 to 4, and degradations of them: see docs/images.md for the table.
CRITERIA: dict[str, Criterion] = {
    "jpeg": Criterion(
        lambda found: found.jpeg_quality, 91, 75, lambda found: f"JPEG quality {found.jpeg_quality}", falling=True
    ),
    "webp": Criterion(
        lambda found: found.webp_quality, 85, 55, lambda found: f"WebP quality {found.webp_quality}", falling=True
    ),
    # libaom takes a finer or coarser step than the one that was asked for, mostly coarser: 40 reads as 32, 60 as 52.
    "avif": Criterion(
        lambda found: found.avif_quality, 65, 45, lambda found: f"AVIF quality {found.avif_quality}", falling=True
    ),
    "traces": Criterion(_unstated_traces, 0.6, 0.7, lambda found: "traces of lossy compression"),
    "noise": Criterion(_noise, 2.4, 4.0, lambda found: f"noise {found.noise:.0f}"),
    "blocks": Criterion(_block_strength, 0.25, 0.55, lambda found: "blocks of JPEG"),
    "bandwidth": Criterion(
        lambda found: found.bandwidth, 0.85, 0.64, lambda found: "blurred or enlarged before", falling=True
    ),
}
_ORDER: tuple[Verdict, ...] = ("clean", "between", "dirty")
# Faint faults of both origins together are visible. Slight softness does not count: many good photos have it.
_ORIGINS = {**dict.fromkeys(("jpeg", "webp", "avif", "traces", "blocks"), "compression"), "noise": "noise"}

# An image with a shorter side than this is hopeless, and one of more megapixels than this is large enough for most
# uses: it fills a print of 42 x 30 cm at 300 dots per inch.
HOPELESS = 32
LARGE = 17.0


def decide(inspection: Inspection) -> Verdict:
    """Decide what kind of model an image needs.

    It is as dirty as its worst measurement, and dirty as well if it has faint noise under faint compression. A pure
    function of the record, so that the same file always has the same verdict.

    Returns:
        "clean" for images that only need to be enlarged; "dirty" for those with visible blocks, noise or blur, which a
        network for clean images would sharpen; "between" for faint faults, where a strong restoration would invent
        more than it repairs.

    Source: Sources of the measurements stand in their modules. The idea to choose a network by the estimated
        degradation: Zhang, Zuo, Zhang: "Learning a Single Convolutional Super-Resolution Network for Multiple
        Degradations" (SRMD), CVPR 2018; the thresholds are our own.

    Example:
        >>> decide(Inspection(480, 640, jpeg_quality=42))
        'dirty'
    """
    verdicts = {name: criterion.judge(inspection) for name, criterion in CRITERIA.items()}
    worst = max(verdicts.values(), key=_ORDER.index)
    faint = {_ORIGINS[name] for name, verdict in verdicts.items() if verdict != "clean" and name in _ORIGINS}
    return "dirty" if len(faint) > 1 else worst


def describe_reason(inspection: Inspection) -> str:
    """Returns the measurements that led to the verdict, such as "JPEG quality 42, noise 5"; "clean" if none did.

    Example:
        >>> describe_reason(Inspection(480, 640, jpeg_quality=42, noise=5.1))
        'JPEG quality 42, noise 5'
    """
    reached = {name: one for name, one in CRITERIA.items() if one.judge(inspection) != "clean"}
    if "jpeg" in reached:
        reached.pop("blocks", None)  # the quality says it
    if "blocks" in reached or "bandwidth" in reached:
        reached.pop("traces", None)  # the first say it, and what was enlarged is as smooth
    return ", ".join(one.describe(inspection) for one in reached.values()) or "clean"


def describe_limits(inspection: Inspection) -> str:
    """Returns one sentence about what a user can expect of an unusual image; "" for all others."""
    height, width = inspection.height, inspection.width
    if min(height, width) < HOPELESS:
        return f"{width} x {height} pixels hold too little to recognise: expect shapes, not details"
    if inspection.bandwidth is not None and inspection.bandwidth <= CRITERIA["bandwidth"].dirty:
        share = f"{inspection.bandwidth:.0%}"
        return f"it was blurred or enlarged before: an image of {share} of its size would hold the same details"
    if inspection.megapixels >= LARGE:
        return f"its {inspection.megapixels:.0f} megapixels are enough for a print of 42 x 30 cm as they are"
    return ""
