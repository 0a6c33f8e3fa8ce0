"""Split conformal calibration of error maps: the factors that make the promise of 90 % hold for a model.

Source: Angelopoulos, Bates: "A Gentle Introduction to Conformal Prediction and Distribution-Free Uncertainty
Quantification", arXiv 2107.07511, section 2.2 (conformalized quantile regression), here with a factor for each of
several groups of pixels of like predicted error (section 4.2, Mondrian).
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hyperacuity.errors import UsageError, Use, WeightsError

# Pixels are divided into this many groups of equal size by the predicted error.
_GROUPS = 12
# How many pixels to cover of those with the least, a middling, and the greatest predicted error; between them linearly.
# A small error is cheap to cover, so the same coverage of all pixels together takes narrower intervals.
SHARES = (0.93, 0.91, 0.85)
# Of the package: by model, and "any-xN" for models that were not calibrated.
_SHIPPED = Path(__file__).with_name("calibrations.json")


@dataclass(frozen=True)
class Calibration:
    """Factors on predicted errors.

    Attributes:
        levels: The middle of each group: predicted errors in grey levels, ascending.
        factors: The factor of each; interpolated between them in the logarithm of the error.
        model: For which it was measured; "" if for models in general.
        data: On what it was measured, in words.
    """

    levels: tuple[float, ...] = (1.0,)
    factors: tuple[float, ...] = (1.0,)
    model: str = ""
    data: str = ""

    def apply(self, predicted: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the calibrated errors."""
        factors = np.interp(np.log(predicted), np.log(self.levels), self.factors)
        result: NDArray[np.float32] = predicted * factors.astype(np.float32)
        return result

    @classmethod
    def fit(
        cls,
        predicted: NDArray[np.float32],
        errors: NDArray[np.float32],
        *,
        model: str = "",
        data: str = "",
        shares: tuple[float, float, float] = SHARES,
    ) -> Calibration:
        """Fit the factors to errors that were measured on images held out from the training.

        Args:
            predicted: The predicted errors of pixels, in grey levels.
            errors: The absolute errors of the same pixels.
            model: See `Calibration`.
            data: See `Calibration`.
            shares: The coverage to reach on these pixels where the predicted error is least, middling and greatest.

        Raises:
            UsageError: If there are too few pixels.
        """
        if len(predicted) < 100 * _GROUPS:
            raise UsageError(f"{len(predicted)} pixels are too few for a calibration: give more or larger images")
        levels, factors = [], []
        for number, group in enumerate(np.array_split(np.argsort(predicted, kind="stable"), _GROUPS)):
            share = np.interp((number + 0.5) / _GROUPS, (0, 0.5, 1), shares)
            rank = min(1.0, np.ceil((len(group) + 1) * share) / len(group))
            levels.append(float(np.median(predicted[group])))
            factors.append(float(np.quantile(errors[group] / predicted[group], rank, method="higher")))
        kept = [index for index, level in enumerate(levels) if index == 0 or level > levels[index - 1]]
        return cls(
            tuple(round(levels[index], 4) for index in kept),
            tuple(round(factors[index], 4) for index in kept),
            model,
            data,
        )

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Calibration:
        """Read a file that `save` wrote.

        Raises:
            UsageError: If it cannot be read.
            WeightsError: If it is not a calibration.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            return _from_json(content)
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}") from error
        except (TypeError, KeyError, ValueError) as error:
            raise WeightsError(f"{path} is not a calibration of an error map") from error


def _from_json(content: Mapping[str, object]) -> Calibration:
    levels, factors = (tuple(map(float, content[name])) for name in ("levels", "factors"))  # type: ignore[call-overload]
    if len(levels) != len(factors) or not levels or min(levels) <= 0 or list(levels) != sorted(set(levels)):
        raise ValueError
    return Calibration(levels, factors, str(content.get("model", "")), str(content.get("data", "")))


@functools.cache
def shipped_calibrations() -> Mapping[str, Calibration]:
    """Returns the calibrations of the package, by the name of the model and "any-x2", "any-x3", "any-x4".

    Those of the spread of other sources than the network have its name behind it: "any-x2 tta".
    """
    content = json.loads(_SHIPPED.read_text(encoding="utf-8"))
    return {name: _from_json(entry) for name, entry in content.items()}


def find_calibration(model: str, scale: int, source: str = "network") -> Calibration:
    """Returns the shipped calibration of a model; that of models in general if it has none.

    Args:
        model: Its name, or that of its family.
        scale: Of the result.
        source: What the error map is computed from, see `spread.SOURCES`.

    Raises:
        UsageError: There is none for this source and scale.

    Example:
        >>> find_calibration("unknown", 2).model
        ''
    """
    shipped = shipped_calibrations()
    named = model if model.endswith(f"-x{scale}") else f"{model}-x{scale}"
    ending = "" if source == "network" else f" {source}"
    found = shipped.get(named + ending, shipped.get(f"any-x{scale}{ending}"))
    if found is None:
        raise UsageError(
            f"there is no calibration of the spread of {source} at x{scale}", Use(error_map_source="network")
        )
    return found
