"""Subject-level bootstrap of FMR and FNMR curves.

Subjects, not trials, are drawn with replacement (the subsets bootstrap of Bolle, Ratha & Pankanti, CVIU
2004): a subject drawn w times gives its mated trials weight w, and a non-mated trial of subjects i and j
the weight w_i * w_j, of which the first-order part w_i + w_j - 1 is used (its Hájek projection). Then
one histogram per subject holds all that a replicate needs, and millions of trials cost no more than
thousands. Without subjects the trials themselves are drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verify_app.evaluation.rates import ErrorRates
from verify_app.evaluation.trials import Scores, TrialScores, subject_codes

REPLICATES = 500
MOST_BLOCKS = 4096
"""Beyond this many subjects, groups of subjects are drawn together, which keeps memory bounded."""


@dataclass(frozen=True, slots=True, eq=False)
class Replicates:
    """Bootstrapped curves.

    Attributes:
        thresholds: float64 array (k,), ascending.
        fmr: float64 array (replicates, k), falling along the last axis.
        fnmr: float64 array (replicates, k), rising along the last axis.
    """

    thresholds: Scores
    fmr: Scores
    fnmr: Scores

    def at(self, thresholds: Scores) -> Replicates:
        """The curves at some of the thresholds they were drawn for."""
        places = np.searchsorted(self.thresholds, thresholds)
        return Replicates(self.thresholds[places], self.fmr[:, places], self.fnmr[:, places])

    def eer(self) -> Scores:
        """Equal error rate of every replicate, float64 array (replicates,)."""
        gap = self.fnmr - self.fmr
        after = np.argmax(gap >= 0, axis=1)
        after = np.where(gap.max(axis=1) < 0, gap.shape[1] - 1, after)
        before = np.maximum(after - 1, 0)
        rows = np.arange(gap.shape[0])
        rise = gap[rows, after] - gap[rows, before]
        part = np.where(rise > 0, -gap[rows, before] / np.where(rise > 0, rise, 1.0), 0.0)
        start, stop = self.fnmr[rows, before], self.fnmr[rows, after]
        return np.asarray(start + np.clip(part, 0.0, 1.0) * (stop - start), dtype=np.float64)

    def fnmr_at_fmr(self, fmr: float) -> Scores:
        """FNMR of every replicate at its own smallest threshold with FMR <= ``fmr``."""
        place = np.argmax(self.fmr <= fmr, axis=1)
        none = ~(self.fmr <= fmr).any(axis=1)
        values = self.fnmr[np.arange(place.size), place]
        return np.asarray(np.where(none, 1.0, values), dtype=np.float64)

    def auc(self) -> Scores:
        """Area under the ROC curve of every replicate."""
        ones, zeros = np.ones((self.fmr.shape[0], 1)), np.zeros((self.fmr.shape[0], 1))
        fmr = np.hstack([ones, self.fmr, zeros])
        tmr = 1.0 - np.hstack([zeros, self.fnmr, ones])
        area = np.sum((fmr[:, :-1] - fmr[:, 1:]) * (tmr[:, :-1] + tmr[:, 1:]) / 2, axis=1)
        return np.asarray(area, dtype=np.float64)


def thresholds_for(rates: ErrorRates, body: int = 192, tail: int = 256) -> Scores:
    """Thresholds that resolve both distributions: quantiles of each, and the highest non-mated scores densely."""
    n = rates.non_mated.size
    shares = np.unique(np.clip(np.round(n * np.logspace(np.log10(1 / n), 0, tail)).astype(np.int64), 1, n))
    points = [
        np.quantile(rates.mated, np.linspace(0, 1, body), method="lower"),
        np.quantile(rates.non_mated, np.linspace(0, 1, body), method="lower"),
        np.nextafter(rates.non_mated[n - shares], np.inf),
    ]
    joined = np.unique(np.concatenate(points))
    return np.append(joined, np.nextafter(max(rates.mated[-1], rates.non_mated[-1]), np.inf))


def replicate(trials: TrialScores, thresholds: Scores, *, replicates: int = REPLICATES, seed: int = 0) -> Replicates:
    """Bootstrap the curves of ``trials`` at ``thresholds`` (ascending). The same seed gives the same result."""
    rng = np.random.default_rng(seed)
    bins = np.searchsorted(thresholds, trials.scores, side="right")
    width = thresholds.size + 1
    codes = subject_codes(trials)
    if codes is None:
        non_mated = _drawn_trials(np.bincount(bins[~trials.mated], minlength=width), replicates, rng)
        mated = _drawn_trials(np.bincount(bins[trials.mated], minlength=width), replicates, rng)
    else:
        blocks = min(codes.count, MOST_BLOCKS)
        weights = rng.multinomial(blocks, np.full(blocks, 1 / blocks), size=replicates).astype(np.float64)
        first = codes.reference % blocks * width + bins
        second = codes.probe % blocks * width + bins
        mated = weights @ _histogram(first[trials.mated], blocks, width)
        touching = _histogram(first[~trials.mated], blocks, width)
        touching += _histogram(second[~trials.mated], blocks, width)
        non_mated = (weights - 1) @ touching + touching.sum(axis=0) / 2
    fmr = 1.0 - _share_below(non_mated)
    fnmr = _share_below(mated)
    return Replicates(thresholds, fmr, fnmr)


def _histogram(places: NDArray[np.int64], blocks: int, width: int) -> Scores:
    return np.bincount(places, minlength=blocks * width).reshape(blocks, width).astype(np.float64)


def _drawn_trials(histogram: NDArray[np.int64], replicates: int, rng: np.random.Generator) -> Scores:
    total = int(histogram.sum())
    return rng.multinomial(total, histogram / total, size=replicates).astype(np.float64)


def _share_below(histograms: Scores) -> Scores:
    """Share of each replicate's weight below each threshold, forced into 0..1 and rising; NaN without weight."""
    total = histograms.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.cumsum(histograms, axis=1)[:, :-1] / np.where(total > 0, total, np.nan)
    return np.asarray(np.clip(np.maximum.accumulate(share, axis=1), 0.0, 1.0), dtype=np.float64)
