"""What the share of the budget decides: the stage and the learning rate."""

from __future__ import annotations

import math

from models.training.config import Experiment, Stage


def stage_at(experiment: Experiment, share: float) -> Stage:
    """The stage in force when ``share`` (0..1) of the budget is spent."""
    for stage in experiment.stage:
        if share < stage.until:
            return stage
    return experiment.stage[-1]


def learning_rate(experiment: Experiment, share: float) -> float:
    """Linear warm-up, an optional plateau, then half a cosine down to 0.5 % of the peak."""
    peak = experiment.learning_rate
    if share < experiment.warm_up:
        return peak * max(share / experiment.warm_up, 0.02)
    start = max(experiment.decay_from, experiment.warm_up)
    if share <= start:
        return peak
    fallen = min((share - start) / (1.0 - start), 1.0)
    return peak * (0.005 + 0.995 * 0.5 * (1.0 + math.cos(math.pi * fallen)))
