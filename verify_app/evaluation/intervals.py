"""Confidence intervals for counted rates."""

from __future__ import annotations

import math

import numpy as np

from verify_app.domain import Interval
from verify_app.evaluation.trials import Scores

CONFIDENCE = 0.95


def clopper_pearson(errors: float, trials: float, confidence: float = CONFIDENCE) -> Interval:
    """Exact binomial interval of a rate (Clopper & Pearson, Biometrika 1934).

    Args:
        errors: number of errors, 0 <= errors <= trials. Fractions are allowed: an effective number of
            trials is rarely whole (Korn & Graubard, Survey Methodology 1998).
        trials: number of independent trials, > 0.
        confidence: coverage of the two-sided interval, 0..1.
    """
    from scipy.special import betaincinv

    tail = (1 - confidence) / 2
    low = 0.0 if errors <= 0 else float(betaincinv(errors, trials - errors + 1, tail))
    high = 1.0 if errors >= trials else float(betaincinv(errors + 1, trials - errors, 1 - tail))
    value = errors / trials
    return Interval(value, min(low, value), max(high, value), confidence)


def rate_interval(rate: float, effective: float, confidence: float = CONFIDENCE) -> Interval:
    """Interval of a measured rate that rests on ``effective`` independent comparisons."""
    interval = clopper_pearson(rate * effective, effective, confidence)
    return Interval(rate, min(interval.low, rate), max(interval.high, rate), confidence)


def rule_of_three(trials: float) -> float:
    """Upper 95 % bound of a rate after ``trials`` independent trials without an error (ISO/IEC 19795-1)."""
    return min(1.0, 3.0 / trials)


def needed_for(rate: float) -> int:
    """Independent trials without an error that show a rate of at most ``rate`` (0..1] at 95 %: the rule of 3."""
    return math.ceil(3.0 / rate - 1e-6)


def mean_interval(values: Scores, confidence: float = CONFIDENCE) -> Interval:
    """Mean of independent measurements (for example one per fold) with its Student t interval."""
    from scipy.special import stdtrit

    mean = float(np.mean(values))
    if values.size < 2:
        return Interval(mean, 0.0, 1.0, confidence)
    error = float(np.std(values, ddof=1)) / math.sqrt(values.size)
    half = float(stdtrit(values.size - 1, (1 + confidence) / 2)) * error
    return Interval(mean, max(0.0, mean - half), min(1.0, mean + half), confidence)


def percentile_interval(value: float, replicates: Scores, confidence: float = CONFIDENCE) -> Interval:
    """Percentile bootstrap interval of ``value``; replicates that are not numbers are left out."""
    usable = replicates[np.isfinite(replicates)]
    if usable.size == 0:
        return Interval(value, value, value, confidence)
    low, high = np.quantile(usable, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(value, min(float(low), value), max(float(high), value), confidence)


def bootstrap_percentiles(drawn: int | None, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Percentiles of a bootstrap that make an interval of the stated coverage, each 0..1.

    Drawing from few subjects shows too little variation: the spread is short by the root of (n - 1) / n, and is
    itself uncertain, as Student's t knows. So the percentiles lie further out (the expanded percentile interval of
    Hesterberg, The American Statistician 2015).

    Args:
        drawn: how many independent subjects were drawn from; None when there are too many to matter.
        confidence: coverage of the two-sided interval, 0..1.
    """
    tail = (1 - confidence) / 2
    if drawn is not None and drawn >= 2:
        from scipy.special import ndtr, stdtrit

        tail = float(ndtr(math.sqrt(drawn / (drawn - 1)) * stdtrit(drawn - 1, tail)))
    return tail, 1 - tail
