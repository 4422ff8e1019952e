"""What a threshold does, fast enough to follow a dragged line: everything heavy is computed once."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verify_app.domain import Interval
from verify_app.evaluation import dependence
from verify_app.evaluation.intervals import needed_for, rate_interval
from verify_app.evaluation.rates import ErrorRates
from verify_app.evaluation.report import still_needed
from verify_app.evaluation.trials import TrialScores, subject_codes

FEWEST = 10
"""The dependence of fewer errors than this cannot be seen; that of the ten most extreme scores is used instead."""
LEVELS = 40


@dataclass(frozen=True, slots=True)
class Reading:
    """What happens at one threshold.

    Attributes:
        threshold: comparisons that score at least this are accepted.
        fmr: measured false-match rate with its interval.
        fnmr: measured false-non-match rate with its interval.
        false_matches: non-mated comparisons accepted.
        false_non_matches: mated comparisons refused.
    """

    threshold: float
    fmr: Interval
    fnmr: Interval
    false_matches: int
    false_non_matches: int


@dataclass(frozen=True, slots=True)
class Support:
    """Whether a false-match rate can be claimed at 95 %.

    Attributes:
        target_fmr: the rate.
        supported: True when the comparisons are enough.
        comparisons: further non-mated comparisons needed, 0 when supported.
        people: further people needed to give that many, None when the trials name no subjects.
    """

    target_fmr: float
    supported: bool
    comparisons: int
    people: int | None


class LiveRates:
    """Error rates of a set of trials at any threshold, each reading in microseconds.

    The effective number of independent comparisons costs a pass over all trials, so it is computed at a few
    dozen rates and interpolated on logarithmic axes between them.

    Args:
        trials: trials of both classes; UnusableInput TRIALS_ONE_CLASS otherwise.
    """

    def __init__(self, trials: TrialScores) -> None:
        self.trials = trials
        self.rates = ErrorRates.of(trials)
        codes = subject_codes(trials)
        self.subjects = None if codes is None else codes.count
        self._non_mated = _effective_by_rate(dependence.non_mated(trials), self.rates.non_mated, from_above=True)
        self._mated = _effective_by_rate(dependence.mated(trials), self.rates.mated, from_above=False)
        self.lowest = float(min(self.rates.mated[0], self.rates.non_mated[0]))
        self.highest = float(max(self.rates.mated[-1], self.rates.non_mated[-1]))

    def at(self, threshold: float) -> Reading:
        """The reading at a threshold."""
        n, m = self.rates.non_mated.size, self.rates.mated.size
        false_matches = int(n - np.searchsorted(self.rates.non_mated, threshold, side="left"))
        false_non_matches = int(np.searchsorted(self.rates.mated, threshold, side="left"))
        return Reading(
            threshold,
            rate_interval(false_matches / n, _interpolated(self._non_mated, false_matches / n)),
            rate_interval(false_non_matches / m, _interpolated(self._mated, false_non_matches / m)),
            false_matches,
            false_non_matches,
        )

    def effective_non_mated(self, fmr: float) -> float:
        """How many independent comparisons the non-mated trials are worth at a false-match rate."""
        return _interpolated(self._non_mated, fmr)

    def support(self, target_fmr: float) -> Support:
        """Whether a false-match rate can be claimed, and what is missing if not."""
        effective = self.effective_non_mated(target_fmr)
        if effective >= needed_for(target_fmr):
            return Support(target_fmr, True, 0, 0 if self.subjects is not None else None)
        missing = still_needed(target_fmr, self.rates.non_mated.size, effective)
        people = None
        if self.subjects is not None and self.subjects > 1:
            pairs = self.subjects * (self.subjects - 1) / 2
            wanted = pairs * (1 + missing / self.rates.non_mated.size)
            people = math.ceil((1 + math.sqrt(1 + 8 * wanted)) / 2) - self.subjects
        return Support(target_fmr, False, missing, people)


def _effective_by_rate(
    counter: dependence.EffectiveCount, ordered: NDArray[np.float64], *, from_above: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Logarithms of rates (ascending) and of the effective number of trials at each."""
    n = ordered.size
    fewest = min(FEWEST, max(1, n // 2))
    counts = np.unique(np.round(np.geomspace(fewest, max(fewest, n // 2), LEVELS)).astype(np.int64))
    places = n - counts if from_above else counts
    effective = [counter.at(float(ordered[place])) for place in places]
    return np.log(counts / n), np.log(np.maximum(effective, 1.0))


def _interpolated(table: tuple[NDArray[np.float64], NDArray[np.float64]], rate: float) -> float:
    """The effective number at a rate; beyond the ends of the table it stays level."""
    logs, effective = table
    return math.exp(float(np.interp(math.log(max(rate, 1e-300)), logs, effective)))
