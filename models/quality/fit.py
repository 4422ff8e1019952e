"""Fit the monotone parts of a quality model to accepted and rejected mated comparisons."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from verify_app.quality_model import Part, QualityModel

QUANTILES = (0.02, 0.1, 0.25, 0.5, 0.75, 0.95)
RIDGE = 1.0
"""Penalty on the squared steps of the curves, in comparisons: little evidence gives a level curve."""
LEAST_STEP = 0.03
"""Log-odds that a step of a curve rises at least: worse is worse, where the samples cannot tell how much."""


def fit(
    measures: Mapping[str, NDArray[np.float64]],
    accepted: NDArray[np.float64],
    weights: NDArray[np.float64],
    rising: Mapping[str, bool],
    worst: Mapping[str, float],
) -> QualityModel:
    """The most likely model whose every part rises (or falls) all the way.

    Args:
        measures: float64 (n,) for each measure.
        accepted: (n,), share of the sample's mated comparisons that were accepted, 0..1.
        weights: (n,), how many comparisons a sample counts for.
        rising: for each measure, whether more of it is better; a measure not named is left out.
        worst: for each measure the value that cannot be worse, so that the curve does not end at the rarest sample.

    Returns:
        Steps of the curves stand at the quantiles ``QUANTILES`` of the samples.
    """
    from scipy.optimize import minimize

    knots = {name: _knots(measures[name], rising[name], worst[name]) for name in rising}
    columns = np.concatenate([_shares(measures[name], knots[name], rising[name]) for name in rising], axis=1)
    scale = weights.sum()

    def cost(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        odds = parameters[0] + columns @ parameters[1:]
        loss = np.logaddexp(0, odds) - accepted * odds
        slope = weights * (1 / (1 + np.exp(-odds)) - accepted)
        penalty = RIDGE * parameters[1:]
        gradient = np.concatenate([[slope.sum()], columns.T @ slope + penalty])
        return float((weights * loss).sum() + 0.5 * penalty @ parameters[1:]) / scale, gradient / scale

    bounds = [(None, None)] + [(LEAST_STEP, None)] * columns.shape[1]
    start_at = np.concatenate([[0.0], np.full(columns.shape[1], LEAST_STEP)])
    found = minimize(cost, start_at, jac=True, bounds=bounds, method="L-BFGS-B").x
    parts, start = {}, 1
    for name, at in knots.items():
        steps = found[start : start + len(at) - 1]
        start += len(at) - 1
        worth = (
            np.concatenate([[0.0], np.cumsum(steps)]) if rising[name] else np.append(np.cumsum(steps[::-1])[::-1], 0.0)
        )
        parts[name] = Part(tuple(round(float(x), 5) for x in at), tuple(round(float(x), 4) for x in worth))
    return QualityModel(round(float(found[0]), 4), parts)


def write(model: QualityModel, package: Path) -> Path:
    """Write ``quality.json`` into the folder of a package."""
    file = package / "quality.json"
    file.write_text(json.dumps(model.as_dict(), indent=1) + "\n", encoding="utf-8")
    return file


def _knots(values: NDArray[np.float64], rising: bool, worst: float) -> NDArray[np.float64]:
    """Values at which the curve may bend: the worst possible, and quantiles of the samples up to the good end."""
    shares = QUANTILES if rising else tuple(1 - share for share in reversed(QUANTILES))
    quantiles = np.quantile(values, shares)
    at = np.unique(np.round(np.append(quantiles, worst), 5))
    return at[at >= worst] if rising else at[at <= worst]


def _shares(values: NDArray[np.float64], knots: NDArray[np.float64], rising: bool) -> NDArray[np.float64]:
    """How far each step between two knots has been climbed, 0..1, shape (n, knots - 1); towards the good end."""
    climbed = np.clip((values[:, None] - knots[:-1]) / np.diff(knots), 0.0, 1.0)
    return climbed if rising else 1.0 - climbed
