"""Tabulating what scores mean: predicted false-match rates with bounds, and likelihood ratios, score by score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from verify_app.calibration.methods import LlrMap, survival
from verify_app.calibration.model import Curve
from verify_app.calibration.tail import Tail, excess_survival, fit_excess
from verify_app.evaluation import dependence
from verify_app.evaluation.bootstrap import Replicates
from verify_app.evaluation.intervals import bootstrap_percentiles, clopper_pearson
from verify_app.evaluation.rates import ErrorRates
from verify_app.evaluation.trials import Scores, TrialScores, subject_codes

LEVELS = (0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5, 3e-6, 1e-6)
MOST_CELLS = 1200


@dataclass(frozen=True, slots=True, eq=False)
class Dependence:
    """How many non-mated trials one independent trial takes, at every false-match rate.

    Attributes:
        levels: float64 array (k,), false-match rates, falling.
        trials_each: float64 array (k,), >= 1.
        non_mated: number of non-mated trials.
        subjects: number of subjects; None when the trials do not name them.
    """

    levels: Scores
    trials_each: Scores
    non_mated: int
    subjects: int | None = None

    @classmethod
    def of(cls, trials: TrialScores) -> Dependence:
        """Measure the dependence of the non-mated ``trials``."""
        counter, n = dependence.non_mated(trials), trials.non_mated_count
        codes = subject_codes(trials)
        levels = [level for level in LEVELS if level * n >= 10] or [min(0.5, 10 / n)]
        each = np.array([n / counter.at_rate(level) for level in levels])
        return cls(np.array(levels), each, n, None if codes is None else codes.count)

    def effective(self, rates: Scores) -> Scores:
        """Effective number of non-mated trials at each false-match rate, interpolated on logarithmic axes."""
        logs = np.log(self.trials_each[::-1])
        each = np.exp(np.interp(np.log(rates), np.log(self.levels[::-1]), logs))
        return np.asarray(np.maximum(self.non_mated / each, 1.0), dtype=np.float64)

    def supported(self) -> float:
        """Smallest false-match rate that the trials can show at 95 % (rule of 3 on their effective number)."""
        rates = np.logspace(0, np.log10(0.5 / self.non_mated), 400)
        enough = rates * self.effective(rates) >= 3.0
        if not enough[0]:
            return 1.0
        last = enough.size - 1 if enough.all() else int(np.argmin(enough)) - 1
        return float(min(1.0, 3.0 / self.effective(rates[last : last + 1])[0]))


def threshold_for(rates: ErrorRates, tail: Tail | None, fmr: float) -> float:
    """Smallest score whose predicted false-match rate (:func:`survival`) is at most ``fmr``; infinity when none."""
    n = rates.non_mated.size
    if fmr * n < 0.1:
        return float("inf")
    counted = rates.threshold_at_fmr(fmr)
    if survival(rates.non_mated, tail, np.array([counted]))[0] <= fmr and tail is None:
        return counted
    low = float(min(rates.non_mated[0], rates.mated[0]))
    high = max(float(rates.non_mated[-1]), float(rates.mated[-1]))
    high += high - low
    if survival(rates.non_mated, tail, np.array([high]))[0] > fmr:
        return float("inf")
    while np.nextafter(low, high) < high:  # the predicted rate never rises with the score: halve the range
        middle = low + (high - low) / 2
        if middle in (low, high):
            break
        if survival(rates.non_mated, tail, np.array([middle]))[0] <= fmr:
            high = middle
        else:
            low = middle
    return high


def points_for(rates: ErrorRates, tail: Tail | None, threshold: float) -> Scores:
    """Scores to tabulate: evenly spread, at quantiles of both classes, and densely in the non-mated tail."""
    n = rates.non_mated.size
    low = min(rates.mated[0], rates.non_mated[0])
    high = max(rates.mated[-1], rates.non_mated[-1])
    span = high - low
    levels = np.logspace(0, np.log10(max(10 / n, 1e-7)), 80) if n > 20 else np.linspace(1, 1 / n, n)
    places = np.clip(n - np.round(levels * n).astype(np.int64), 0, n - 1)
    parts = [
        np.linspace(low - span / 4, high + span / 4, 65),
        rates.non_mated[places],
        np.quantile(rates.mated, np.linspace(0, 1, 33)),
    ]
    if tail is not None:
        parts.append(np.linspace(tail.start, high, 49))
    steps = np.concatenate(parts)
    rounded = np.unique(np.round(steps / span, 6) * span)
    if np.isfinite(threshold):
        keep = np.abs(rounded - threshold) > 1e-6 * span
        rounded = np.unique(np.append(rounded[keep], threshold))
    return rounded


def cells_for(rates: ErrorRates, tail: Tail | None) -> Scores:
    """Scores at which replicates are needed to fit the tail again: its non-mated scores, thinned; else none."""
    if tail is None:
        return np.zeros(0)
    cells = np.unique(np.concatenate([[tail.start], rates.non_mated[rates.non_mated > tail.start]]))
    if cells.size > MOST_CELLS:
        cells = cells[np.unique(np.linspace(0, cells.size - 1, MOST_CELLS).astype(np.int64))]
    return np.append(cells, np.nextafter(cells[-1], np.inf))


def tabulate(
    rates: ErrorRates,
    tail: Tail | None,
    llr_map: LlrMap,
    effect: Dependence,
    drawn: Replicates,
    points: Scores,
    operating_point: tuple[float, float],
) -> Curve:
    """Tabulate the meaning of the scores ``points``.

    Args:
        rates: the error rates of the trials.
        tail: the fitted tail of the non-mated scores.
        llr_map: from scores to log-likelihood ratios.
        effect: how the trials depend on each other.
        drawn: bootstrap replicates at ``points`` and at :func:`cells_for`.
        points: scores, ascending.
        operating_point: threshold and target false-match rate, which the table meets exactly.
    """
    threshold, target_fmr = operating_point
    fmr = survival(rates.non_mated, tail, points)
    if np.isfinite(threshold):
        at = int(np.searchsorted(points, threshold))
        fmr[at] = min(fmr[at], target_fmr)
    fmr = np.minimum.accumulate(fmr)
    low, high = _bounds(rates, tail, effect, drawn, points, fmr)
    llr = np.maximum.accumulate(llr_map(points))
    return Curve(points, llr, fmr, np.minimum(low, fmr), np.maximum(high, fmr))


def _bounds(
    rates: ErrorRates, tail: Tail | None, effect: Dependence, drawn: Replicates, points: Scores, fmr: Scores
) -> tuple[Scores, Scores]:
    """95 % bounds of the predicted rate: subject-level bootstrap, widened by the exact interval of the count.

    The bootstrap repeats the fit of the tail; the exact (Clopper-Pearson) interval on the effective number
    of comparisons speaks where a bootstrap is blind, above the highest non-mated score. Of few subjects the
    percentiles taken lie further out (:func:`~verify_app.evaluation.intervals.bootstrap_percentiles`).
    """
    n = rates.non_mated.size
    curves = drawn.at(points).fmr if tail is None else _tails(rates, tail, drawn, points)
    usable = curves[np.isfinite(curves).all(axis=1)]
    percentiles = bootstrap_percentiles(effect.subjects)
    low, high = np.quantile(usable, percentiles, axis=0) if len(usable) else (fmr, fmr)
    effective = effect.effective(fmr)
    counted = rates.fmr(points)
    exact = [clopper_pearson(rate * size, size) for rate, size in zip(counted, effective, strict=True)]
    low = np.minimum(low, fmr)
    many = counted * n >= 1
    low = np.where(many, np.minimum(low, [bound.low for bound in exact]), low)
    high = np.maximum.reduce([high, fmr, np.array([bound.high for bound in exact])])
    floor = 1e-3 / n
    low = np.minimum.accumulate(np.clip(low, floor, 1.0))
    high = np.maximum.accumulate(np.clip(high, floor, 1.0)[::-1])[::-1]
    return low, high


def _tails(rates: ErrorRates, tail: Tail, drawn: Replicates, points: Scores) -> Scores:
    """The replicates' curves with their own fitted tails above the start of the tail."""
    inside = points > tail.start
    cells = cells_for(rates, tail)
    fine = drawn.at(cells).fmr
    weights = np.maximum(fine[:, :-1] - fine[:, 1:], 0.0)
    excess = cells[:-1] - tail.start
    scale, shape = fit_excess(excess[1:], weights[:, 1:])
    share = weights[:, 1:].sum(axis=1)
    fitted = share[:, None] * excess_survival(points[inside][None, :] - tail.start, scale[:, None], shape[:, None])
    curves = drawn.at(points).fmr
    curves[:, inside] = fitted
    return curves
