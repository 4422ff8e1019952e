"""One TOML file describes one experiment; an unknown key is an error, not a silent default."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Stage:
    """A stretch of the training.

    ``until``: share of the budget at which it ends (the last is 1). ``size``: input size, in
    the task's unit. ``batch``: samples per step. ``mates``: samples per class in a batch; 1 draws
    plainly from all samples. ``weights``: weight of each objective.
    """

    until: float
    size: int
    batch: int
    weights: dict[str, float]
    mates: int = 1


@dataclass(frozen=True)
class Experiment:
    """Everything that decides a training.

    The budget is either ``minutes`` of wall-clock time or ``samples`` shown to the network; stages and
    learning rate are functions of the share spent. With minutes a slow or busy machine still lands the
    schedule; with samples a training is the same on every machine, as comparisons need it.
    """

    name: str
    task: str
    backbone: dict[str, Any]
    objectives: dict[str, dict[str, Any]]
    stage: list[Stage]
    minutes: float = 0.0
    samples: int = 0
    """Degraded samples that pass a network: each of several views counts, and so does a MoCo key."""
    seed: int = 1
    threads: int = 1
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    warm_up: float = 0.03
    decay_from: float = 0.0
    """Share of the budget the learning rate stays at its peak before the cosine fall."""
    average: float = 0.999
    """Decay of the moving average of the weights; the averaged network is what is shipped."""
    evaluate_every: float = 10.0
    """Minutes between evaluations and exports."""
    bootstrap: int = 200
    data: dict[str, Any] = field(default_factory=dict)
    augmentation: dict[str, Any] = field(default_factory=dict)


def check_keys(kind: type, given: dict[str, Any], where: str) -> None:
    """Raise ValueError naming the first key of ``given`` that ``kind`` does not have."""
    known = {item.name for item in fields(kind)}
    for key in given:
        if key not in known:
            raise ValueError(f"{where}: unknown key {key!r}; known: {', '.join(sorted(known))}")


def parse(table: dict[str, Any], where: str = "configuration") -> Experiment:
    """An experiment from a parsed TOML table. Raises ValueError with one clear sentence."""
    check_keys(Experiment, table, where)
    stages = []
    for number, given in enumerate(table.get("stage", []), start=1):
        check_keys(Stage, given, f"{where}, stage {number}")
        try:
            stages.append(Stage(**given))
        except TypeError as error:
            raise ValueError(f"{where}, stage {number}: {error}") from None
    try:
        experiment = Experiment(**{**table, "stage": stages})
    except TypeError as error:
        raise ValueError(f"{where}: {error}") from None
    if (experiment.minutes > 0) == (experiment.samples > 0):
        raise ValueError(f"{where}: give either `minutes` or `samples`, one of them above 0")
    ends = [stage.until for stage in stages]
    if not ends or ends != sorted(ends) or ends[-1] != 1.0:
        raise ValueError(f"{where}: the stages' `until` must rise and end at 1.0, not {ends}")
    for number, stage in enumerate(stages, start=1):
        missing = sorted(set(stage.weights) - set(experiment.objectives))
        if missing:
            raise ValueError(f"{where}, stage {number}: no [objectives.{missing[0]}] table")
    return experiment


def read(path: Path) -> dict[str, Any]:
    """A TOML file as a table. Raises ValueError, naming the file, for bad TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path}: {error}") from None


def load(path: Path) -> Experiment:
    """Read an experiment file. Raises ValueError for bad TOML, keys or stages."""
    return parse(read(path), str(path))
