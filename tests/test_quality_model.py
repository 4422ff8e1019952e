"""From measures to a quality: monotone in each part, never outside 0..1, and what ships can be read."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.quality.fit import fit
from verify_app.quality_model import Part, QualityModel, quality_model

MODEL = QualityModel(-1.0, {"light": Part((0.0, 0.5, 1.0), (0.0, 1.0, 3.0)), "noise": Part((0.0, 10.0), (2.0, 0.0))})


def test_a_score_by_hand() -> None:
    best = 1 / (1 + np.exp(-4))

    assert MODEL.score({"light": 1.0, "noise": 0.0}) == pytest.approx(1)
    assert MODEL.score({"light": 0.5, "noise": 10.0}) == pytest.approx(0.5 / best)
    assert MODEL.losses({"light": 0.25, "noise": 5.0}) == pytest.approx({"light": 2.5, "noise": 1.0})


def test_what_was_not_measured_says_nothing() -> None:
    assert MODEL.score({}) == MODEL.score({"light": float("nan")}) == pytest.approx(1)
    assert MODEL.losses({"light": float("nan"), "other": 3.0}) == {}


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_scores_stay_between_nought_and_one(light: float, noise: float) -> None:
    assert 0 <= MODEL.score({"light": light, "noise": noise}) <= 1


@pytest.mark.parametrize("package", ["verify_app.face", "verify_app.voice"])
def test_every_shipped_part_goes_one_way(package: str) -> None:
    model = quality_model(package)

    assert model.parts
    for name, part in model.parts.items():
        assert list(part.at) == sorted(set(part.at)), name
        steps = np.diff(part.worth)
        assert (steps >= 0).all() or (steps <= 0).all(), name
    assert sum(part.best > min(part.worth) for part in model.parts.values()) >= 3


def test_the_fit_finds_what_decides_and_ignores_what_does_not() -> None:
    rng = np.random.default_rng(0)
    measures = {"sharp": rng.uniform(0, 1, 4000), "loud": rng.uniform(0, 10, 4000), "luck": rng.uniform(0, 1, 4000)}
    odds = 4 * measures["sharp"] - 0.5 * measures["loud"]
    accepted = (rng.random(4000) < 1 / (1 + np.exp(-odds))).astype(float)

    rising = {"sharp": True, "loud": False, "luck": True}
    worst = {"sharp": 0.0, "loud": 10.0, "luck": 0.0}
    model = fit(measures, accepted, np.ones(4000), rising, worst)

    spans = {name: part.best - min(part.worth) for name, part in model.parts.items()}
    assert spans["sharp"] == pytest.approx(4, abs=0.8)
    assert spans["loud"] == pytest.approx(5, abs=0.8)
    assert spans["luck"] < 0.5
    sharper = [model.score({"sharp": value, "loud": 3.0}) for value in np.linspace(0, 1, 9)]
    assert all(before <= after for before, after in pairwise(sharper))
