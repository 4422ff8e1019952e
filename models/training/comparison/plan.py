"""What a comparison of objectives holds fixed, and what its contenders change."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.training.config import Experiment, check_keys, parse, read


@dataclass(frozen=True)
class Contender:
    """One objective, or a weighted sum, and the batches it needs.

    ``signal``: what it learns from, in words. ``mates``: samples per class in a batch, as in a stage.
    ``settings``: per objective, where its defaults are not used. ``seeds``: trainings to run.
    """

    title: str
    signal: str
    weights: dict[str, float]
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    mates: int = 1
    seeds: list[int] = field(default_factory=lambda: [1])

    @property
    def single(self) -> bool:
        """Whether it is one objective alone."""
        return len(self.weights) == 1


@dataclass(frozen=True)
class Comparison:
    """One protocol and its contenders by name.

    ``shown``: inputs per step, whatever the number of views. ``size``: the stage's size.
    ``learning_rates``: tried for every contender with ``trial_samples`` each; the one with the lower EER is
    taken. ``protocol``: every other key of an ``Experiment``.
    """

    name: str
    size: int
    shown: int
    learning_rates: list[float]
    trial_samples: int
    protocol: dict[str, Any]
    contender: dict[str, Contender]

    def experiment(self, name: str, *, passes: int, rate: float, seed: int, trial: bool = False) -> Experiment:
        """The training of a contender whose samples pass a network ``passes`` times per step."""
        contender = self.contender[name]
        stage = {
            "until": 1.0,
            "size": self.size,
            "batch": self.shown // passes,
            "mates": contender.mates,
            "weights": contender.weights,
        }
        changes: dict[str, Any] = {
            "name": f"{name}-{seed}" + (f"-trial-{rate:g}" if trial else ""),
            "objectives": {part: contender.settings.get(part, {}) for part in contender.weights},
            "learning_rate": rate,
            "seed": seed,
            "stage": [stage],
        }
        if trial:
            changes["samples"] = self.trial_samples
        return parse(self.protocol | changes, f"comparison {self.name}, {name}")


def load(path: Path) -> Comparison:
    """Read a comparison's TOML file. Raises ValueError for bad TOML or keys."""
    return from_table(read(path), str(path))


def from_table(table: dict[str, Any], where: str = "comparison") -> Comparison:
    """A comparison from a parsed TOML table. Raises ValueError with one clear sentence."""
    check_keys(Comparison, table, where)
    contenders = {}
    try:
        for name, given in table.get("contender", {}).items():
            check_keys(Contender, given, f"{where}, contender {name}")
            contenders[name] = Contender(**given)
        return Comparison(**{**table, "contender": contenders})
    except TypeError as error:
        raise ValueError(f"{where}: {error}") from None
