"""Three ways from a score to a log-likelihood ratio: logistic, isotonic and tail-aware.

Each is fitted with equal weight for both classes, so that the ratio does not carry the mix of the trials,
and each rises with the score.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from verify_app.calibration.model import FEWEST_COUNTED
from verify_app.calibration.tail import Tail, fit_tail
from verify_app.evaluation.rates import ErrorRates
from verify_app.evaluation.trials import Scores

LlrMap: TypeAlias = Callable[[Scores], Scores]

MOST_KNOTS = 128
MOST_SCORES = 50_000
"""More scores of one class than this enter a logistic regression as means of neighbours."""


def logistic(rates: ErrorRates) -> LlrMap:
    """Log-likelihood ratio linear in the score (Brümmer & du Preez 2006), with Platt's softened targets."""
    centre, spread = _centre_and_spread(rates)
    offset, slope = _logistic_weights(rates, lambda scores: ((scores - centre) / spread)[:, None])
    return lambda scores: offset + slope[0] * (np.asarray(scores) - centre) / spread


def isotonic(rates: ErrorRates) -> LlrMap:
    """The best rising map (pool adjacent violators), joined linearly between the centres of its blocks.

    Half a trial of each class is added to every block, so that no ratio is infinite.
    """
    blocks = rates.blocks
    llr = np.log((blocks.mated + 0.5) / (rates.mated.size + 0.5 * blocks.mated.size)) - np.log(
        (blocks.non_mated + 0.5) / (rates.non_mated.size + 0.5 * blocks.mated.size)
    )
    llr = np.maximum.accumulate(llr)
    centres = (blocks.low + blocks.high) / 2
    if centres.size > MOST_KNOTS:
        keep = np.unique(np.linspace(0, centres.size - 1, MOST_KNOTS).astype(np.int64))
        centres, llr = centres[keep], llr[keep]
    return lambda scores: np.interp(scores, centres, llr)


def tail_aware(rates: ErrorRates) -> LlrMap:
    """Logistic regression on the score and on minus the logarithm of its predicted false-match rate.

    The second feature comes from the non-mated distribution with its fitted extreme-value tail, so that
    the ratio keeps rising where the trials no longer hold any non-mated score. A feature that would make
    the ratio fall is left out.
    """
    centre, spread = _centre_and_spread(rates)
    tail = fit_tail(rates.non_mated)

    def features(scores: Scores) -> Scores:
        rarity = -np.log(survival(rates.non_mated, tail, scores))
        return np.column_stack([(np.asarray(scores) - centre) / spread, rarity])

    columns = np.array([0, 1])
    offset, slope = _logistic_weights(rates, features)
    if (slope < 0).any():
        columns = np.array([int(np.argmax(slope))])
        offset, slope = _logistic_weights(rates, lambda scores: features(scores)[:, columns])
    return lambda scores: offset + features(np.atleast_1d(np.asarray(scores, dtype=np.float64)))[:, columns] @ slope


METHODS: dict[str, Callable[[ErrorRates], LlrMap]] = {"logistic": logistic, "isotonic": isotonic, "tail": tail_aware}


def survival(non_mated: Scores, tail: Tail | None, scores: Scores) -> Scores:
    """Predicted false-match rate: the share of non-mated scores at or above each score.

    Where at least ten of the ascending ``non_mated`` scores lie above, their share counts, or the fitted
    tail's where that is larger; beyond, the tail's; without a tail, half a comparison is assumed above
    the highest score. It never falls below a tenth of one comparison: data say nothing about less.
    """
    n = non_mated.size
    above = n - np.searchsorted(non_mated, scores, side="left")
    counted = np.maximum(above, 0.5) / n
    if tail is not None:
        fitted = np.where(np.asarray(scores) > tail.start, tail.survival(np.asarray(scores)), 0.0)
        counted = np.where(above >= FEWEST_COUNTED, np.maximum(counted, fitted), np.where(fitted > 0, fitted, counted))
        beyond = np.asarray(scores) > tail.start
        counted = np.where(beyond & (fitted <= 0) & (above < FEWEST_COUNTED), 0.0, counted)
    return np.asarray(np.clip(counted, 0.1 / n, 1.0), dtype=np.float64)


def _centre_and_spread(rates: ErrorRates) -> tuple[float, float]:
    centre = float((rates.mated.mean() + rates.non_mated.mean()) / 2)
    spread = float(max(rates.mated[-1], rates.non_mated[-1]) - min(rates.mated[0], rates.non_mated[0]))
    return centre, spread or 1.0


def _logistic_weights(rates: ErrorRates, features: Callable[[Scores], Scores]) -> tuple[float, Scores]:
    """Offset and slopes of a logistic regression with equal class weights, by Newton's method with halving steps."""
    m, n = rates.mated.size, rates.non_mated.size
    (mated, mated_weight), (non_mated, non_mated_weight) = _summed_up(rates.mated), _summed_up(rates.non_mated)
    x = features(np.concatenate([mated, non_mated]))
    x = np.column_stack([np.ones(len(x)), x])
    target = np.concatenate([np.full(mated.size, (m + 1) / (m + 2)), np.full(non_mated.size, 1 / (n + 2))])
    weight = np.concatenate([mated_weight, non_mated_weight]) / 2
    beta = np.zeros(x.shape[1])

    def cost(candidate: Scores) -> float:
        z = x @ candidate
        return float(np.sum(weight * (np.logaddexp(0.0, z) - target * z)))

    present = cost(beta)
    for _ in range(100):
        probability = _sigmoid(x @ beta)
        gradient = x.T @ (weight * (probability - target))
        curvature = (x * (weight * probability * (1 - probability))[:, None]).T @ x
        step = np.linalg.solve(curvature + 1e-10 * np.eye(x.shape[1]), gradient)
        length = 1.0
        while cost(beta - length * step) > present and length > 1e-6:
            length /= 2
        beta = beta - length * step
        improved = present - cost(beta)
        present -= improved
        if improved < 1e-10:
            break
    return float(beta[0]), np.asarray(beta[1:], dtype=np.float64)


def _summed_up(scores: Scores) -> tuple[Scores, Scores]:
    """Ascending scores as they are, or as means of equally many neighbours when they are very many; and weights."""
    if scores.size <= MOST_SCORES:
        return scores, np.full(scores.size, 1 / scores.size)
    starts = np.linspace(0, scores.size, MOST_SCORES + 1).astype(np.int64)
    counts = np.diff(starts)
    return np.add.reduceat(scores, starts[:-1]) / counts, counts / scores.size


def _sigmoid(z: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.exp(-np.logaddexp(0.0, -z)), dtype=np.float64)
