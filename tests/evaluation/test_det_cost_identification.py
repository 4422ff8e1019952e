"""DET curves, detection cost and searches: known answers and oracles."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm
from sklearn.metrics import det_curve

from verify_app.evaluation.cost import Costs, actual_cost, min_cost
from verify_app.evaluation.det import det, probit
from verify_app.evaluation.identification import (
    fmr_for_fpir,
    fpir_of_gallery,
    fpir_of_other_gallery,
    searches,
)
from verify_app.evaluation.rates import ErrorRates

SCORES = arrays(np.float64, st.integers(2, 50), elements=st.integers(-30, 30).map(lambda number: number / 10))


@given(SCORES, SCORES)
def test_det_points_are_those_of_scikit_learn(mated: np.ndarray, non_mated: np.ndarray) -> None:
    labels = np.r_[np.ones(mated.size), np.zeros(non_mated.size)]
    fmr, fnmr, thresholds = det_curve(labels, np.r_[mated, non_mated])
    rates = ErrorRates(np.sort(mated), np.sort(non_mated))
    assert rates.fmr(thresholds) == pytest.approx(fmr)
    assert rates.fnmr(thresholds) == pytest.approx(fnmr)


def test_two_normal_distributions_are_a_straight_line_on_probit_axes() -> None:
    rng = np.random.default_rng(0)
    curve = det(ErrorRates(np.sort(rng.normal(2, 1, 100_000)), np.sort(rng.normal(0, 1, 100_000))))
    inside = (curve.fmr > 1e-3) & (curve.fmr < 0.5) & (curve.fnmr > 1e-3)
    x, y = curve.probit(1e-6)
    assert x[inside] + y[inside] == pytest.approx(-2.0, abs=0.1)
    assert len(curve.threshold) <= 700
    assert (np.diff(curve.fmr) <= 0).all()
    assert probit(np.array([0.5, norm.sf(1.0)])) == pytest.approx([0.0, -1.0])


def test_costs_by_hand() -> None:
    rates = ErrorRates(np.array([0.4, 0.6, 0.8, 0.9]), np.array([0.1, 0.2, 0.3, 0.5, 0.7]))
    cost, threshold = min_cost(rates, Costs(prior=0.5))
    # (FMR, FNMR): .4 -> (2/5, 0), .6 -> (1/5, 1/4), .8 -> (0, 1/2), .9 -> (0, 3/4): the sum is least at .4.
    assert (cost, threshold) == (pytest.approx(0.4), 0.4)
    rare, _ = min_cost(rates, Costs(prior=0.01))
    assert rare == pytest.approx(0.5)
    assert Costs(prior=0.5).llr_threshold == 0.0
    assert Costs(prior=0.01).llr_threshold == pytest.approx(np.log(99))
    with pytest.raises(ValueError, match="prior"):
        Costs(prior=0)


@given(SCORES, SCORES, st.floats(0.001, 0.999))
def test_the_smallest_cost_is_bounded_and_never_beaten(mated: np.ndarray, non_mated: np.ndarray, prior: float) -> None:
    rates, costs = ErrorRates(np.sort(mated), np.sort(non_mated)), Costs(prior=prior)
    best, _ = min_cost(rates, costs)
    assert 0 <= best <= 1 + 1e-9
    assert best <= actual_cost(rates, costs) + 1e-9


def test_searches_by_hand() -> None:
    scores = np.array([[0.9, 0.2, 0.1], [0.6, 0.5, 0.3], [0.4, 0.7, 0.2]])
    found = searches(scores, np.array([0, 1, 7]), np.array([0, 1, 2]))
    assert found.enrolled.tolist() == [True, True, False]
    assert found.fpir(0.5).value == 1.0
    assert found.fpir(0.71).value == 0.0
    assert found.fnir(0.5).value == 0.5  # the second is found, but not first
    assert found.fnir(0.5, rank=0).value == 0.0
    assert found.fnir(0.55, rank=0).value == 0.5


@given(st.floats(1e-9, 0.9), st.integers(1, 10**6))
def test_gallery_corrections_are_inverse(rate: float, gallery: int) -> None:
    assert fpir_of_gallery(fmr_for_fpir(rate, gallery), gallery) == pytest.approx(rate, rel=1e-6)
    assert fpir_of_gallery(rate, 1) == pytest.approx(rate)
    assert fpir_of_gallery(rate, gallery) <= min(1.0, rate * gallery * (1 + 1e-9))
    assert fpir_of_other_gallery(rate, gallery, gallery) == pytest.approx(rate)


def test_the_correction_predicts_searches_of_strangers() -> None:
    rng = np.random.default_rng(1)
    strangers = rng.normal(size=(4000, 200))
    found = searches(strangers, np.full(4000, -1), np.arange(200))
    fmr = norm.sf(3.0)
    assert found.fpir(3.0).value == pytest.approx(fpir_of_gallery(fmr, 200), abs=0.02)
    half = searches(strangers[:, :100], np.full(4000, -1), np.arange(100)).fpir(3.0).value
    assert fpir_of_other_gallery(half, 100, 200) == pytest.approx(found.fpir(3.0).value, abs=0.02)
