"""Distributions and reliability as the page draws them. No Qt here."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verify_app.evaluation.intervals import rate_interval
from verify_app.evaluation.rates import ErrorRates


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """Two distributions over the same bins.

    Attributes:
        edges: float64 array (bins + 1,).
        mated, non_mated: float64 arrays (bins,), density, each with area 1.
    """

    edges: NDArray[np.float64]
    mated: NDArray[np.float64]
    non_mated: NDArray[np.float64]


def histogram(rates: ErrorRates, bins: int = 90) -> Histogram:
    """The distributions of mated and non-mated scores, each with area 1, so that few mated ones are seen as well."""
    low = min(rates.mated[0], rates.non_mated[0])
    high = max(rates.mated[-1], rates.non_mated[-1])
    few = min(rates.mated.size, rates.non_mated.size)
    bins = int(min(bins, max(12, 2 * math.sqrt(few) * 2)))
    edges = np.linspace(low, high, bins + 1)
    mated, _ = np.histogram(rates.mated, edges, density=True)
    non_mated, _ = np.histogram(rates.non_mated, edges, density=True)
    return Histogram(edges, mated, non_mated)


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """Predicted against measured shares of mated comparisons, both classes weighing the same.

    Attributes:
        predicted: float64 array (bins,), mean predicted probability in each bin, 0..1.
        measured: float64 array (bins,), measured share of mated comparisons.
        low, high: float64 arrays (bins,), 95 % bounds of the measured share.
    """

    predicted: NDArray[np.float64]
    measured: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def reliability(mated_llr: NDArray[np.float64], non_mated_llr: NDArray[np.float64], bins: int = 10) -> Reliability:
    """Whether likelihood ratios mean what they say (a reliability diagram; Murphy & Winkler, Appl. Stat. 1977).

    Args:
        mated_llr, non_mated_llr: natural-log likelihood ratios, float64 arrays.
        bins: equally wide bins of the posterior probability at even prior odds.
    """
    llr = np.concatenate([mated_llr, non_mated_llr])
    is_mated = np.arange(llr.size) < mated_llr.size
    probability = 1 / (1 + np.exp(-np.clip(llr, -700, 700)))
    weight = np.where(is_mated, 0.5 / mated_llr.size, 0.5 / non_mated_llr.size)
    place = np.minimum((probability * bins).astype(np.int64), bins - 1)
    total = np.bincount(place, weight, bins)
    kept = np.flatnonzero(total > 0)
    hits = np.bincount(place, weight * is_mated, bins)[kept]
    squares = np.bincount(place, weight**2, bins)[kept]
    mean = np.bincount(place, weight * probability, bins)[kept] / total[kept]
    effective = total[kept] ** 2 / squares  # Kish's number of equally weighted comparisons
    bounds = [rate_interval(min(1.0, rate), size) for rate, size in zip(hits / total[kept], effective, strict=True)]
    return Reliability(
        mean,
        np.array([bound.value for bound in bounds]),
        np.array([bound.low for bound in bounds]),
        np.array([bound.high for bound in bounds]),
    )
