"""Error rates of a set of scores. A comparison is accepted when its score is at least the threshold.

Definitions follow ISO/IEC 19795-1: the false-match rate (FMR) is the share of non-mated comparisons
accepted, the false-non-match rate (FNMR) the share of mated comparisons rejected.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from verify_app.evaluation.pav import Blocks, hull, pool
from verify_app.evaluation.trials import Labels, Scores, TrialScores


@dataclass(frozen=True, eq=False)
class ErrorRates:
    """FMR and FNMR at every threshold.

    Attributes:
        mated: float64 array (m,), mated scores, ascending.
        non_mated: float64 array (n,), non-mated scores, ascending.
    """

    mated: Scores
    non_mated: Scores

    @classmethod
    def of(cls, trials: TrialScores) -> ErrorRates:
        """Error rates of ``trials``.

        Raises:
            UnusableInput: TRIALS_ONE_CLASS when a class is missing.
        """
        trials.require_both_classes()
        return cls(np.sort(trials.scores[trials.mated]), np.sort(trials.scores[~trials.mated]))

    def fmr(self, thresholds: ArrayLike) -> Scores:
        """Share of non-mated scores at or above each threshold, 0..1."""
        below = np.searchsorted(self.non_mated, thresholds, side="left")
        return np.asarray((self.non_mated.size - below) / self.non_mated.size, dtype=np.float64)

    def fnmr(self, thresholds: ArrayLike) -> Scores:
        """Share of mated scores below each threshold, 0..1."""
        return np.asarray(np.searchsorted(self.mated, thresholds, side="left") / self.mated.size, dtype=np.float64)

    def threshold_at_fmr(self, fmr: float) -> float:
        """Smallest threshold whose counted FMR is at most ``fmr`` (0..1).

        It lies just above the highest non-mated score that has to be rejected, so that ties with that
        score are rejected too. ``fmr`` >= 1 gives minus infinity.
        """
        allowed = int(np.floor(fmr * self.non_mated.size * (1 + 1e-12)))
        if allowed >= self.non_mated.size:
            return -np.inf
        return float(np.nextafter(self.non_mated[self.non_mated.size - 1 - allowed], np.inf))

    def threshold_at_fnmr(self, fnmr: float) -> float:
        """Largest threshold whose counted FNMR is at most ``fnmr`` (0..1). ``fnmr`` >= 1 gives infinity."""
        allowed = int(np.floor(fnmr * self.mated.size * (1 + 1e-12)))
        return np.inf if allowed >= self.mated.size else float(self.mated[allowed])

    def fnmr_at_fmr(self, fmr: float) -> float:
        """FNMR at the smallest threshold whose counted FMR is at most ``fmr``."""
        return float(self.fnmr(self.threshold_at_fmr(fmr)))

    def auc(self) -> float:
        """Area under the ROC curve: the chance that a mated score beats a non-mated one, ties counting half."""
        left = np.searchsorted(self.non_mated, self.mated, side="left")
        right = np.searchsorted(self.non_mated, self.mated, side="right")
        return float((left.mean() + right.mean()) / (2 * self.non_mated.size))

    @cached_property
    def blocks(self) -> Blocks:
        """The pooled scores (see :mod:`verify_app.evaluation.pav`), pooled once."""
        return pool(self.mated, self.non_mated)

    def eer(self) -> float:
        """Equal error rate, 0..0.5: where the ROC convex hull meets FMR = FNMR.

        The hull makes the figure independent of how ties and steps are joined (Brümmer & de Villiers,
        "The BOSARIS Toolkit", 2011).
        """
        return eer_of_hull(*hull(self.blocks))

    def eer_threshold(self) -> float:
        """Mated score at which the counted FMR and FNMR are closest to each other."""
        gap = np.abs(self.fmr(self.mated) - self.fnmr(self.mated))
        return float(self.mated[int(np.argmin(gap))])


def eer_of_hull(fmr: Scores, fnmr: Scores) -> float:
    """Where a falling convex curve, given by its vertices from (1, 0) to (0, 1), meets FMR = FNMR."""
    gap = fnmr - fmr
    after = int(np.argmax(gap >= 0))
    if gap[after] == 0:
        return float(fmr[after])
    before = after - 1
    part = -gap[before] / (gap[after] - gap[before])
    return float(fnmr[before] + part * (fnmr[after] - fnmr[before]))


def fold_accuracies(trials: TrialScores, folds: Labels) -> Scores:
    """Accuracy on each fold at the threshold that is most accurate on all the others (the LFW protocol).

    Args:
        trials: trials of both classes.
        folds: array (n,), the fold of each trial; at least two folds.

    Returns:
        float64 array (folds,), in the sorted order of fold names.
    """
    names, codes = np.unique(folds.astype(str) if folds.dtype == object else folds, return_inverse=True)
    order = np.argsort(trials.scores, kind="stable")
    scores, mated, codes = trials.scores[order], trials.mated[order], codes[order]
    accuracies = []
    for fold in range(names.size):
        inside = codes == fold
        threshold = most_accurate_threshold(scores[~inside], mated[~inside])
        accuracies.append(np.mean((scores[inside] >= threshold) == mated[inside]))
    return np.array(accuracies)


def most_accurate_threshold(scores: Scores, mated: NDArray[np.bool_]) -> float:
    """Threshold with the most right answers on ascending ``scores``, in the middle between two of them."""
    cuts = np.flatnonzero(np.concatenate([[True], scores[1:] != scores[:-1], [True]]))
    # Right answers when accepting from position i on, up to a constant: the non-mated before i less the mated.
    gains = np.concatenate([[0], np.cumsum(np.where(mated, -1, 1))])[cuts]
    best = np.flatnonzero(gains == gains.max())
    cut = int(cuts[best[best.size // 2]])
    if cut in (0, scores.size):
        return -np.inf if cut == 0 else np.inf
    return float((scores[cut - 1] + scores[cut]) / 2)
