"""Fusion of face and voice: a weighted sum of log-likelihood ratios, and the false-match rate it predicts.

For independent evidence, log-likelihood ratios add (Brümmer & du Preez 2006). A poor sample carries less
than its ratio says, so its ratio is weighted down by its quality. The rate at which non-mated pairs reach
a fused ratio follows from the calibrations' own non-mated distributions by convolution: an impostor's
face and voice are taken to be independent. Where that fails (the impostor resembles the subject in both, being
of one sex and age), more false matches occur, so decisions rest on the upper end of the interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from verify_app.calibration.model import Calibration
from verify_app.domain import Interval
from verify_app.evaluation.intervals import CONFIDENCE

FULL_QUALITY = 0.5
"""From this quality on, a sample's ratio counts in full."""
LEAST_WEIGHT = 0.1
STEPS_BETWEEN = 16
"""Each interval of the tabulated distribution is cut into so many steps before it is convolved."""
ROUNDING = 1e-9
"""Slack of a ratio, for floating-point noise: the highest ratios of both reach their own sum."""

_Distribution: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Ascending ratios, and the share of non-mated comparisons that reach each."""


def quality_weight(quality: float) -> float:
    """Weight 0.1..1 of a log-likelihood ratio whose probe has ``quality`` 0..1; not a number weighs least."""
    return float(min(1.0, max(LEAST_WEIGHT, quality / FULL_QUALITY))) if quality == quality else LEAST_WEIGHT


def fused_llr(llrs: Sequence[float], weights: Sequence[float]) -> float:
    """Weighted sum of natural-log likelihood ratios."""
    return float(sum(weight * llr for weight, llr in zip(weights, llrs, strict=True)))


def fused_fmr(llr: float, first: Calibration, second: Calibration, weights: tuple[float, float]) -> Interval:
    """Share of non-mated pairs whose weighted sum of ratios is expected to reach ``llr``, with its 95 % interval.

    The bounds are convolved like the rates. So the widths of both add, where those of independent errors would add in
    squares; that makes up for the bounds of few subjects, which are too narrow above (``docs/calibration.md``).

    Args:
        llr: the fused ratio.
        first: calibration of the one modality.
        second: calibration of the other.
        weights: weight of each, > 0.
    """
    value, low, high = fused_rates(np.array([llr]), first, second, weights)[:, 0].tolist()
    return Interval(value, low, high, CONFIDENCE)


def fused_rates(
    llrs: NDArray[np.float64], first: Calibration, second: Calibration, weights: tuple[float, float]
) -> NDArray[np.float64]:
    """The rates of :func:`fused_fmr` at many fused ratios: float64 array (3, k) of values, lower and upper bounds."""
    value, low, high = (
        _reaching(
            llrs,
            (first.curve.llr, getattr(first.curve, column)),
            (second.curve.llr, getattr(second.curve, column)),
            weights,
        )
        for column in ("fmr", "fmr_low", "fmr_high")
    )
    return np.stack([value, np.minimum(low, value), np.maximum(high, value)])


def _reaching(
    llrs: NDArray[np.float64], first: _Distribution, second: _Distribution, weights: tuple[float, float]
) -> NDArray[np.float64]:
    ratios, shares = _steps(*first)
    masses = shares - np.append(shares[1:], 0.0)
    # Each step's share sits at its upper end: the result errs towards more false matches, never fewer.
    reached = np.append(ratios[1:], ratios[-1])
    rest = (llrs[:, None] - weights[0] * reached) / weights[1] - ROUNDING
    rates = (masses * _share_reaching(rest, *second)).sum(axis=1)
    # Both at their highest ratio is as rare as the calibrations can tell.
    return np.asarray(np.clip(rates, shares[-1] * second[1][-1], 1.0), dtype=np.float64)


def _steps(ratios: NDArray[np.float64], shares: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A finer table; all that lies below the first score is put at its ratio."""
    places = np.arange(ratios.size)
    fine = np.linspace(0, ratios.size - 1, (ratios.size - 1) * STEPS_BETWEEN + 1)
    finer = np.exp(np.interp(fine, places, np.log(shares)))
    finer[0] = 1.0
    return np.interp(fine, places, ratios), finer


def _share_reaching(
    wanted: NDArray[np.float64], ratios: NDArray[np.float64], shares: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Share of non-mated comparisons whose ratio is at least ``wanted``."""
    after = np.searchsorted(ratios, wanted, side="left")
    inside = np.clip(after, 1, ratios.size - 1)
    left, right = ratios[inside - 1], ratios[inside]
    part = np.where(right > left, (wanted - left) / np.where(right > left, right - left, 1.0), 1.0)
    logs = np.log(shares)
    between = np.exp(logs[inside - 1] + np.clip(part, 0.0, 1.0) * (logs[inside] - logs[inside - 1]))
    return np.where(after == 0, 1.0, np.where(after == ratios.size, 0.0, between))
