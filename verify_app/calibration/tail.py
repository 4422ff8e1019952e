"""The upper tail of non-mated scores, where counting runs out of comparisons.

Above a high score u, the excess of a score over u follows a generalised Pareto distribution, whatever the
body of the distribution looks like (Pickands, Ann. Statist. 1975; Coles, "An Introduction to Statistical
Modeling of Extreme Values", 2001, ch. 4). Its two parameters come from probability-weighted moments in
closed form (Hosking & Wallis, Technometrics 1987), which is steady for small samples and quick to repeat
for every bootstrap replicate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from verify_app.evaluation.trials import Scores

FEWEST_EXCESSES = 30
"""Below this many scores above u the tail is not fitted."""
SHAPE_LIMIT = 0.45
"""Shapes are kept within ±this; the moments used need a shape under one half."""


@dataclass(frozen=True, slots=True)
class Tail:
    """A fitted tail.

    Attributes:
        start: the score u from which it holds.
        share: share of non-mated scores above u, 0..1.
        scale: scale of the excess, > 0, in units of the score.
        shape: shape: negative for a tail with an end, 0 for an exponential one, positive for a heavy one.
    """

    start: float
    share: float
    scale: float
    shape: float

    def survival(self, scores: Scores) -> Scores:
        """Share of non-mated scores at or above each score; meaningful from ``start`` on."""
        return self.share * excess_survival(np.asarray(scores) - self.start, self.scale, self.shape)


def excess_survival(excess: Scores, scale: Scores | float, shape: Scores | float) -> Scores:
    """Share of a generalised Pareto distribution at or above ``excess`` (clipped to >= 0)."""
    z = np.maximum(excess, 0.0) / scale
    safe = np.where(np.abs(shape) < 1e-6, 1e-6, shape)
    base = np.maximum(1.0 + safe * z, 0.0)
    with np.errstate(divide="ignore"):
        return (
            np.asarray(np.exp(-np.log(base) / safe), dtype=np.float64)
            if np.all(base > 0)
            else np.asarray(
                np.where(base > 0, np.exp(-np.log(np.where(base > 0, base, 1.0)) / safe), 0.0), dtype=np.float64
            )
        )


def fit_excess(excess: Scores, weights: Scores | None = None) -> tuple[Scores, Scores]:
    """Scale and shape of excesses by probability-weighted moments.

    Args:
        excess: float64 array (k,), ascending, >= 0.
        weights: float64 array (replicates, k) of weights, or None for weight 1.

    Returns:
        ``(scale, shape)``, float64 arrays (replicates,); one replicate when ``weights`` is None.
    """
    w = np.ones((1, excess.size)) if weights is None else weights
    total = np.maximum(w.sum(axis=1, keepdims=True), 1e-12)
    above = 1.0 - (np.cumsum(w, axis=1) - 0.5 * w) / total  # share of weight above, mid-point convention
    first = (w * excess).sum(axis=1) / total[:, 0]
    second = (w * above * excess).sum(axis=1) / total[:, 0]
    first = np.maximum(first, 1e-12)
    gap = np.maximum(first - 2.0 * second, 1e-12)
    shape = np.clip(2.0 - first / gap, -SHAPE_LIMIT, SHAPE_LIMIT)
    return first * (1.0 - shape), shape  # the mean of the distribution is scale / (1 - shape)


def tail_size(non_mated: int) -> int:
    """How many of the highest scores the tail is fitted to: the square root of their number, at least 100."""
    return int(min(max(100, round(float(np.sqrt(non_mated)))), non_mated // 10))


def fit_tail(non_mated: Scores) -> Tail | None:
    """Fit the tail of ascending non-mated scores; None when they are too few or their top does not vary."""
    size = tail_size(non_mated.size)
    if size < FEWEST_EXCESSES:
        return None
    start = float(non_mated[-size - 1])
    excess = non_mated[non_mated > start] - start
    if excess.size < FEWEST_EXCESSES or excess[-1] <= 0:
        return None
    scale, shape = fit_excess(excess)
    return Tail(start, excess.size / non_mated.size, float(scale[0]), float(shape[0]))
