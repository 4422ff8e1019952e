"""Error rates of the training code against cases counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from models.training.evaluate import Pairs, all_pairs, intervals, rates, summary


def made(mated: list[float], other: list[float]) -> Pairs:
    scores = np.array(mated + other)
    order = np.argsort(-scores)
    kind = np.array([True] * len(mated) + [False] * len(other))[order]
    zeros = np.zeros(len(scores), dtype=np.int64)
    return Pairs(scores[order], kind, zeros, np.where(kind, 0, 1), 2)


def test_separated_scores_have_no_error() -> None:
    found = rates(made([0.9, 0.8, 0.7], [0.3, 0.2, 0.1]))
    assert found["eer"] == 0.0
    assert found["tar@fmr=0.001"] == 1.0


def test_one_swap_of_four_is_an_eer_of_a_quarter() -> None:
    found = rates(made([0.9, 0.8, 0.7, 0.2], [0.75, 0.3, 0.1, 0.0]))
    assert found["eer"] == pytest.approx(0.25)
    # No false match is allowed at 1e-2 of four pairs: accept above 0.75 alone.
    assert found["tar@fmr=0.01"] == pytest.approx(0.5)


def test_pairs_count_every_combination_once() -> None:
    vectors = np.eye(4, dtype=np.float32)[[0, 0, 1, 1, 2]]
    pairs = all_pairs(vectors, np.array([0, 0, 1, 1, 2]))
    assert len(pairs.scores) == 10
    assert pairs.mated.sum() == 2
    assert pairs.scores[:2].tolist() == [1.0, 1.0]


def test_weighting_a_subject_twice_equals_having_its_pairs_twice() -> None:
    once = made([0.9, 0.4], [0.5, 0.1])
    twice = made([0.9, 0.4, 0.4], [0.5, 0.1])
    weights = np.where(once.scores == 0.4, 2.0, 1.0)
    assert rates(once, weights)["tar@fmr=0.01"] == pytest.approx(1 / 3)
    assert rates(twice)["tar@fmr=0.01"] == pytest.approx(1 / 3)


def test_bootstrap_intervals_are_repeatable_and_hold_the_estimate() -> None:
    generator = np.random.default_rng(5)
    subjects = np.repeat(np.arange(12), 6)
    centres = generator.normal(size=(12, 16))
    vectors = centres[subjects] + generator.normal(size=(72, 16)) * 1.2
    unit = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    found = summary(unit, subjects, rounds=100)
    low, high = found["intervals"]["eer"]
    assert low < found["eer"] < high
    assert intervals(all_pairs(unit, subjects), rounds=100) == found["intervals"]
