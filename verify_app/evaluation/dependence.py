"""How many independent comparisons a set of trials is worth.

Pairs share subjects, so their errors are not independent: one person who looks like many others makes
many false matches. The variance of a rate over such pairs follows from the sums of the residuals that
touch each subject (dyadic cluster-robust variance: Fafchamps & Gubert, J. Dev. Econ. 2007; Aronow et
al., Political Analysis 2015). The effective number is the number of independent trials with that variance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verify_app.evaluation.trials import Scores, TrialScores, subject_codes

FEWEST_SUBJECTS = 10
"""Below this many subjects a variance between subjects cannot be estimated; then each pair of subjects counts once."""


@dataclass(frozen=True, slots=True, eq=False)
class EffectiveCount:
    """Effective number of trials of one class at any threshold; build it with :func:`non_mated` or :func:`mated`."""

    scores: Scores
    ranked: Scores
    first: NDArray[np.int64] | None
    second: NDArray[np.int64] | None
    subjects: int
    pair: NDArray[np.int64] | None
    pair_trials: NDArray[np.int64]
    subject_trials: NDArray[np.int64]

    def at(self, threshold: float) -> float:
        """Effective number of trials for the share of scores at or above ``threshold``; between 1 and n."""
        n = self.scores.size
        if self.first is None or self.pair is None:
            return float(n)
        if self.subjects < FEWEST_SUBJECTS:
            return float(self.pair_trials.size)
        above = self.scores >= threshold
        count = int(np.count_nonzero(above))
        if count in (0, n):
            return float(n)
        rate = count / n
        touched = np.bincount(self.first[above], minlength=self.subjects)
        if self.second is not None:
            touched = touched + np.bincount(self.second[above], minlength=self.subjects)
        between = float(np.sum((touched - rate * self.subject_trials) ** 2))
        if self.second is not None:  # a pair's residual is counted under both of its subjects: take one away
            per_pair = np.bincount(self.pair[above], minlength=self.pair_trials.size)
            between -= float(np.sum((per_pair - rate * self.pair_trials) ** 2))
        between *= self.subjects / (self.subjects - 1)
        if between <= 0:
            return float(n)
        return float(np.clip(n * n * rate * (1 - rate) / between, 1.0, n))

    def at_rate(self, rate: float, fewest: int = 10) -> float:
        """Effective number where the share of scores above is ``rate``.

        Where fewer than ``fewest`` scores lie above, their dependence cannot be seen and that of the
        highest ``fewest`` scores is used.
        """
        n = self.scores.size
        above = int(np.clip(max(round(rate * n), fewest), 1, max(1, n // 2)))
        return self.at(float(self.ranked[n - above]))


def non_mated(trials: TrialScores) -> EffectiveCount:
    """Effective number of the non-mated trials."""
    return _build(trials, ~trials.mated, both_roles=True)


def mated(trials: TrialScores) -> EffectiveCount:
    """Effective number of the mated trials (each belongs to one subject)."""
    return _build(trials, trials.mated, both_roles=False)


def _build(trials: TrialScores, rows: NDArray[np.bool_], *, both_roles: bool) -> EffectiveCount:
    codes = subject_codes(trials)
    scores = trials.scores[rows]
    ranked = np.sort(scores)
    nothing = np.zeros(0, dtype=np.int64)
    if codes is None:
        return EffectiveCount(scores, ranked, None, None, 0, None, nothing, nothing)
    first, second = codes.reference[rows], codes.probe[rows]
    subject_trials = np.bincount(first, minlength=codes.count)
    if not both_roles:
        present = np.flatnonzero(subject_trials)
        pair = np.searchsorted(present, first)
        return EffectiveCount(
            scores, ranked, pair, None, present.size, pair, subject_trials[present], subject_trials[present]
        )
    subject_trials = subject_trials + np.bincount(second, minlength=codes.count)
    pair, pair_trials = _pairs(np.minimum(first, second), np.maximum(first, second), codes.count)
    return EffectiveCount(
        scores, ranked, first, second, int(np.count_nonzero(subject_trials)), pair, pair_trials, subject_trials
    )


def _pairs(
    low: NDArray[np.int64], high: NDArray[np.int64], subjects: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number the distinct pairs: the pair of each trial, and the trials of each pair."""
    joined = low * subjects + high
    if subjects * subjects <= 1 << 22:
        trials = np.bincount(joined, minlength=subjects * subjects)
        present = np.flatnonzero(trials)
        place = np.zeros(subjects * subjects, dtype=np.int64)
        place[present] = np.arange(present.size)
        return place[joined], trials[present]
    _, pair, counts = np.unique(joined, return_inverse=True, return_counts=True)
    return pair.astype(np.int64, copy=False), counts.astype(np.int64, copy=False)
