"""Detection cost: what errors cost when mated comparisons are rare (NIST speaker recognition evaluations).

C = cost_fnmr * prior * FNMR + cost_fmr * (1 - prior) * FMR, divided by the cost of the better of two
systems that ignore the score (always yes, always no): 0 is perfect, 1 is useless.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from verify_app.evaluation.rates import ErrorRates
from verify_app.evaluation.trials import Scores


@dataclass(frozen=True, slots=True)
class Costs:
    """What is at stake.

    Attributes:
        prior: share of mated comparisons to expect, above 0 and below 1.
        fnmr: cost of rejecting a mated comparison, > 0.
        fmr: cost of accepting a non-mated comparison, > 0.
    """

    prior: float = 0.01
    fnmr: float = 1.0
    fmr: float = 1.0

    def __post_init__(self) -> None:
        if not (0 < self.prior < 1 and self.fnmr > 0 and self.fmr > 0):
            raise ValueError("the prior must lie between 0 and 1 and both costs above 0")

    @property
    def llr_threshold(self) -> float:
        """Log-likelihood ratio from which accepting costs less than rejecting (Bayes)."""
        return math.log(self.fmr * (1 - self.prior) / (self.fnmr * self.prior))

    def of(self, fmr: Scores, fnmr: Scores) -> Scores:
        """Normalised cost of each pair of error rates."""
        missed, false = self.fnmr * self.prior, self.fmr * (1 - self.prior)
        return np.asarray((missed * fnmr + false * fmr) / min(missed, false), dtype=np.float64)


def min_cost(rates: ErrorRates, costs: Costs | None = None) -> tuple[float, float]:
    """Smallest normalised cost over all thresholds, and the threshold that reaches it (minDCF)."""
    chosen = costs or Costs()
    # The optimum accepts from a mated score on, or accepts nothing.
    thresholds = np.append(np.unique(rates.mated), np.inf)
    cost = chosen.of(rates.fmr(thresholds), rates.fnmr(thresholds))
    best = int(np.argmin(cost))
    return float(cost[best]), float(thresholds[best])


def actual_cost(llrs: ErrorRates, costs: Costs | None = None) -> float:
    """Normalised cost of log-likelihood ratios used at the Bayes threshold, as a calibrated system is."""
    chosen = costs or Costs()
    threshold = chosen.llr_threshold
    return float(chosen.of(llrs.fmr([threshold]), llrs.fnmr([threshold]))[0])
