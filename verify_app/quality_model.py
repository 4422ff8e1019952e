"""From the measures of a sample to one number: a sum of monotone parts, through a logistic curve.

An additive logistic model (T. Hastie and R. Tibshirani, "Generalized additive models", 1986) with a piecewise linear,
monotone curve for each measure. The curves are fitted to comparisons of training subjects (``models/quality``) and
kept in a file beside the code that takes the measures.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Part:
    """What one measure is worth.

    Attributes:
        at: values of the measure, ascending.
        worth: log-odds at each of them; between them straight, beyond them constant.
    """

    at: tuple[float, ...]
    worth: tuple[float, ...]

    @property
    def best(self) -> float:
        """The log-odds of a sample with nothing to complain of."""
        return max(self.worth)

    def of(self, value: float) -> float:
        """The log-odds at ``value``."""
        return float(np.interp(value, self.at, self.worth))


@dataclass(frozen=True, slots=True)
class QualityModel:
    """The parts, and the log-odds they add to.

    Attributes:
        base: log-odds of a mated comparison being accepted when every part is worth nothing.
        parts: the worth of each measure, by its name.
    """

    base: float
    parts: Mapping[str, Part]

    def score(self, measures: Mapping[str, float]) -> float:
        """Quality 0..1: the share of mated comparisons accepted, over the share for an ideal sample.

        A measure that was not taken, or is not a number, says nothing against the sample.
        """
        most = self.base + sum(part.best for part in self.parts.values())
        return _logistic(most - self.losses_total(measures)) / _logistic(most)

    def losses(self, measures: Mapping[str, float]) -> dict[str, float]:
        """The log-odds (>= 0) lost to each measure that was taken."""
        return {
            name: part.best - part.of(measures[name])
            for name, part in self.parts.items()
            if not math.isnan(measures.get(name, math.nan))
        }

    def losses_total(self, measures: Mapping[str, float]) -> float:
        """All that is lost."""
        return sum(self.losses(measures).values())

    def as_dict(self) -> dict[str, Any]:
        """The model, ready for JSON."""
        parts = {name: {"at": list(part.at), "worth": list(part.worth)} for name, part in self.parts.items()}
        return {"base": self.base, "parts": parts}


@cache
def quality_model(package: str) -> QualityModel:
    """The model that ships in ``quality.json`` of a package, for example ``"verify_app.face"``."""
    record = json.loads(files(package).joinpath("quality.json").read_text(encoding="utf-8"))
    parts = {name: Part(tuple(part["at"]), tuple(part["worth"])) for name, part in record["parts"].items()}
    return QualityModel(float(record["base"]), parts)


def _logistic(odds: float) -> float:
    return 1.0 / (1.0 + math.exp(-odds)) if odds > -700 else 0.0
