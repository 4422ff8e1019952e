"""Two systems on the same trials: how much their figures differ, and how sure that is.

Both are measured on the same drawn subjects, so that what makes trials hard for both cancels out (a paired
bootstrap; Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, ch. 10; Bolle, Ratha & Pankanti 2004).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from verify_app.domain import Interval
from verify_app.evaluation.bootstrap import replicate, thresholds_for
from verify_app.evaluation.intervals import percentile_interval
from verify_app.evaluation.rates import ErrorRates
from verify_app.evaluation.trials import TrialScores
from verify_app.reasons import ReasonCode, UnusableInput


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure of two systems.

    Attributes:
        target_fmr: the FNMR at this false-match rate is compared; None for the equal error rate.
        first: the figure of the first system.
        second: that of the second.
        difference: second less first, with its 95 % interval.
    """

    target_fmr: float | None
    first: float
    second: float
    difference: Interval

    @property
    def told_apart(self) -> bool:
        """Whether the interval of the difference leaves out zero."""
        return self.difference.low > 0 or self.difference.high < 0


def differences(
    first: TrialScores, second: TrialScores, targets: tuple[float, ...] = (1e-2, 1e-3), *, seed: int = 0
) -> tuple[Difference, ...]:
    """Compare the equal error rates of two systems, and their FNMR at some false-match rates.

    Args:
        first: trials scored by the first system.
        second: the same trials, in the same order, scored by the second. When they do not name their subjects,
            the systems are drawn apart from each other, and the intervals err on the wide side.
        targets: false-match rates, each within 0..1.
        seed: seed of the bootstrap.

    Raises:
        UnusableInput: TABLE_INVALID when the trials are not the same, TRIALS_ONE_CLASS when a class is missing.
    """
    if not _same(first, second):
        raise UnusableInput(
            ReasonCode.TABLE_INVALID, "The two sets of scores are not of the same trials.", "Score the same pairs."
        )
    unnamed = first.reference_subject is None
    rates = [ErrorRates.of(trials) for trials in (first, second)]
    drawn = [
        replicate(trials, thresholds_for(rate), seed=seed + place * unnamed)
        for place, (trials, rate) in enumerate(zip((first, second), rates, strict=True))
    ]

    def compared(target: float | None) -> Difference:
        values = [rate.eer() if target is None else rate.fnmr_at_fmr(target) for rate in rates]
        replicates = [one.eer() if target is None else one.fnmr_at_fmr(target) for one in drawn]
        gap = percentile_interval(values[1] - values[0], replicates[1] - replicates[0])
        return Difference(target, values[0], values[1], gap)

    return tuple(compared(target) for target in (None, *targets))


def _same(first: TrialScores, second: TrialScores) -> bool:
    if len(first) != len(second) or not np.array_equal(first.mated, second.mated):
        return False
    columns = ("reference_subject", "probe_subject")
    pairs = [(getattr(first, name), getattr(second, name)) for name in columns]
    return all((a is None) == (b is None) and (a is None or np.array_equal(a, b)) for a, b in pairs)
