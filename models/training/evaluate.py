"""Error rates of an encoder on a development split, with subject-level bootstrap intervals.

Every pair inside the split is compared by cosine. Intervals resample subjects, not pairs: pairs
that share a subject are not independent (Bolle et al., 2004; ISO/IEC 19795-1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Pairs:
    """All pairs of a split, sorted by falling score.

    ``mated``: bool ``[P]``; ``first`` and ``second``: subject number ``[P]`` of either side.
    """

    scores: Floats
    mated: NDArray[np.bool_]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    subjects: int


def all_pairs(embeddings: NDArray[np.float32], subjects: NDArray[np.int64]) -> Pairs:
    """Compare every sample with every other: unit-length ``[N, D]``, subject numbers ``[N]``."""
    left, right = np.triu_indices(len(embeddings), k=1)
    scores = (embeddings @ embeddings.T)[left, right].astype(np.float64)
    order = np.argsort(-scores, kind="stable")
    first, second = subjects[left][order], subjects[right][order]
    return Pairs(scores[order], first == second, first, second, int(subjects.max()) + 1)


def error_curve(pairs: Pairs, weights: Floats | None = None) -> tuple[Floats, Floats]:
    """FMR and FNMR after accepting the 1, 2, ... highest scores; ``weights`` count pairs."""
    count = np.ones(len(pairs.scores)) if weights is None else weights
    accepted_mated = np.cumsum(count * pairs.mated)
    accepted_other = np.cumsum(count * ~pairs.mated)
    fmr = accepted_other / max(accepted_other[-1], 1e-12)
    fnmr = 1.0 - accepted_mated / max(accepted_mated[-1], 1e-12)
    return fmr, fnmr


def rates(pairs: Pairs, weights: Floats | None = None) -> dict[str, float]:
    """EER and the true acceptance rate (1 - FNMR) at FMR 1e-2, 1e-3 and 1e-4."""
    fmr, fnmr = error_curve(pairs, weights)
    crossing = int(np.argmax(fmr >= fnmr))
    result = {"eer": float((fmr[crossing] + fnmr[crossing]) / 2.0)}
    for target in (1e-2, 1e-3, 1e-4):
        allowed = int(np.searchsorted(fmr, target, side="right")) - 1
        result[f"tar@fmr={target:g}"] = float(1.0 - fnmr[allowed]) if allowed >= 0 else 0.0
    return result


def replicates(pairs: Pairs, rounds: int = 200, seed: int = 0) -> dict[str, Floats]:
    """Each of ``rates`` ``[rounds]`` after drawing the subjects with replacement.

    Round ``i`` of the same ``seed`` draws the same subjects for every network on the same split, so that the
    difference of two networks' replicates is a paired bootstrap of their difference.
    """
    generator = np.random.default_rng(seed)
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        drawn = generator.integers(0, pairs.subjects, pairs.subjects)
        times = np.bincount(drawn, minlength=pairs.subjects).astype(np.float64)
        # A mated pair lives inside one subject, so it is drawn as often as that subject is.
        weights = np.where(pairs.mated, times[pairs.first], times[pairs.first] * times[pairs.second])
        for name, value in rates(pairs, weights).items():
            found.setdefault(name, []).append(value)
    return {name: np.array(values) for name, values in found.items()}


def middle(values: Floats, level: float = 0.95) -> tuple[float, float]:
    """The bounds between which the middle ``level`` of the replicates lies (percentile interval)."""
    tail = (1.0 - level) / 2.0
    return float(np.quantile(values, tail)), float(np.quantile(values, 1.0 - tail))


def intervals(pairs: Pairs, rounds: int = 200, seed: int = 0, level: float = 0.95) -> dict[str, tuple[float, float]]:
    """Percentile bootstrap intervals of ``rates``, resampling subjects ``rounds`` times."""
    return {name: middle(values, level) for name, values in replicates(pairs, rounds, seed).items()}


def summary(embeddings: NDArray[np.float32], subjects: NDArray[np.int64], rounds: int = 0) -> dict[str, Any]:
    """Rates over all pairs, with an interval per rate under ``intervals`` if ``rounds`` > 0."""
    pairs = all_pairs(embeddings, subjects)
    result: dict[str, Any] = dict(rates(pairs))
    result["mated_pairs"] = int(pairs.mated.sum())
    result["non_mated_pairs"] = int((~pairs.mated).sum())
    if rounds:
        result["intervals"] = intervals(pairs, rounds)
    return result
