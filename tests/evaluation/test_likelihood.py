"""Cllr: known answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.isotonic import IsotonicRegression

from verify_app.evaluation.likelihood import cllr, min_cllr
from verify_app.evaluation.rates import ErrorRates

SCORES = arrays(np.float64, st.integers(1, 40), elements=st.integers(-50, 50).map(lambda number: number / 10))


def test_knowing_nothing_costs_one_bit_and_knowing_all_costs_nothing() -> None:
    assert cllr(np.zeros(5), np.zeros(9)) == pytest.approx(1.0)
    assert cllr(np.full(5, np.inf), np.full(9, -np.inf)) == 0.0
    assert cllr(np.array([np.log(3)]), np.array([-np.log(3)])) == pytest.approx(np.log2(4 / 3))


def test_true_likelihood_ratios_are_almost_the_best_map() -> None:
    rng = np.random.default_rng(0)
    mated, non_mated = rng.normal(2, 1, 20_000), rng.normal(0, 1, 20_000)
    true = cllr(2 * mated - 2, 2 * non_mated - 2)
    best = min_cllr(ErrorRates(np.sort(mated), np.sort(non_mated)))
    assert best <= true
    assert true - best < 0.004


@given(SCORES, SCORES)
def test_no_rising_map_beats_the_minimum(mated: np.ndarray, non_mated: np.ndarray) -> None:
    rates = ErrorRates(np.sort(mated), np.sort(non_mated))
    best = min_cllr(rates)
    assert -1e-12 <= best <= 1 + 1e-12
    for slope, offset in ((0.0, 0.0), (1.0, 0.0), (2.0, -1.0)):
        assert best <= cllr(slope * mated + offset, slope * non_mated + offset) + 1e-9


@given(SCORES, SCORES)
def test_pooling_agrees_with_scikit_learn(mated: np.ndarray, non_mated: np.ndarray) -> None:
    scores, labels = np.r_[mated, non_mated], np.r_[np.ones(mated.size), np.zeros(non_mated.size)]
    expected = IsotonicRegression().fit(scores, labels).predict(np.sort(scores))
    blocks = ErrorRates(np.sort(mated), np.sort(non_mated)).blocks
    ours = np.repeat(blocks.mated / (blocks.mated + blocks.non_mated), blocks.mated + blocks.non_mated)
    assert ours == pytest.approx(expected)
    assert (blocks.low <= blocks.high).all()
    assert (blocks.low[1:] > blocks.high[:-1]).all()
