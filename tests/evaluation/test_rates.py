"""Known answers and properties of the error rates."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from verify_app.evaluation.pav import hull
from verify_app.evaluation.rates import ErrorRates, fold_accuracies
from verify_app.evaluation.trials import TrialScores
from verify_app.reasons import ReasonCode, UnusableInput

HUNDREDTHS = st.integers(-100, 100).map(lambda number: number / 100)
SCORES = arrays(np.float64, st.integers(1, 60), elements=HUNDREDTHS)


def rates_of(mated: list[float], non_mated: list[float]) -> ErrorRates:
    return ErrorRates(np.sort(np.array(mated, dtype=float)), np.sort(np.array(non_mated, dtype=float)))


def test_a_small_set_by_hand() -> None:
    rates = rates_of([0.4, 0.6, 0.8, 0.9], [0.1, 0.2, 0.3, 0.5, 0.7])
    assert rates.fmr(0.5) == pytest.approx(2 / 5)
    assert rates.fnmr(0.5) == pytest.approx(1 / 4)
    # Hull vertices (FMR, FNMR): (.4, 0) and (0, .5); between them FNMR = .5 - 1.25 FMR, which is FMR at 2/9.
    assert rates.eer() == pytest.approx(2 / 9)
    assert rates.auc() == pytest.approx(17 / 20)
    assert rates.threshold_at_fmr(0.2) == np.nextafter(0.5, 1)
    assert rates.fnmr_at_fmr(0.2) == pytest.approx(1 / 4)
    assert rates.fnmr_at_fmr(0.19) == pytest.approx(2 / 4)
    assert rates.threshold_at_fnmr(0.25) == 0.6


def test_tied_scores_are_rejected_together() -> None:
    rates = rates_of([0.5, 0.9], [0.5, 0.5, 0.1])
    threshold = rates.threshold_at_fmr(1 / 3)
    assert rates.fmr(threshold) == 0.0
    assert rates.fnmr(threshold) == 0.5


def test_two_normal_distributions_have_the_eer_theory_says() -> None:
    rng = np.random.default_rng(1)
    rates = rates_of(list(rng.normal(2, 1, 50_000)), list(rng.normal(0, 1, 200_000)))
    assert rates.eer() == pytest.approx(norm.sf(1.0), abs=0.002)
    assert rates.fnmr_at_fmr(1e-2) == pytest.approx(norm.cdf(norm.isf(1e-2) - 2), abs=0.01)


@given(SCORES, SCORES)
def test_auc_agrees_with_scikit_learn(mated: np.ndarray, non_mated: np.ndarray) -> None:
    labels = np.r_[np.ones(mated.size), np.zeros(non_mated.size)]
    expected = roc_auc_score(labels, np.r_[mated, non_mated])
    assert ErrorRates(np.sort(mated), np.sort(non_mated)).auc() == pytest.approx(expected)


@given(SCORES, SCORES)
def test_rising_maps_change_nothing(mated: np.ndarray, non_mated: np.ndarray) -> None:
    plain = ErrorRates(np.sort(mated), np.sort(non_mated))
    mapped = ErrorRates(np.sort(np.exp(3 * mated)), np.sort(np.exp(3 * non_mated)))
    assert mapped.eer() == pytest.approx(plain.eer())
    assert mapped.auc() == pytest.approx(plain.auc())
    for fmr in (0.5, 0.1, 0.01):
        assert mapped.fnmr_at_fmr(fmr) == pytest.approx(plain.fnmr_at_fmr(fmr))


@given(SCORES, SCORES)
def test_swapping_the_classes_and_the_sign_keeps_eer_and_auc(mated: np.ndarray, non_mated: np.ndarray) -> None:
    plain = ErrorRates(np.sort(mated), np.sort(non_mated))
    swapped = ErrorRates(np.sort(-non_mated), np.sort(-mated))
    assert swapped.eer() == pytest.approx(plain.eer())
    assert swapped.auc() == pytest.approx(plain.auc())


@given(SCORES, SCORES)
def test_bounds_and_the_hull(mated: np.ndarray, non_mated: np.ndarray) -> None:
    rates = ErrorRates(np.sort(mated), np.sort(non_mated))
    fmr, fnmr = hull(rates.blocks)
    assert (fmr[0], fnmr[0], fnmr[-1]) == (1.0, 0.0, 1.0)
    assert fmr[-1] == pytest.approx(0.0)
    assert (np.diff(fmr) <= 1e-12).all()
    assert (np.diff(fnmr) >= -1e-12).all()
    # No counted operating point lies below the hull.
    for threshold in rates.mated:
        on_hull = np.interp(rates.fmr(threshold), fmr[::-1], fnmr[::-1])
        assert rates.fnmr(threshold) >= on_hull - 1e-9
    assert 0 <= rates.eer() <= 0.5 + 1e-12


@given(SCORES, st.floats(0, 1))
def test_the_threshold_keeps_the_fmr_and_the_next_lower_score_breaks_it(non_mated: np.ndarray, fmr: float) -> None:
    rates = ErrorRates(np.array([0.0]), np.sort(non_mated))
    threshold = rates.threshold_at_fmr(fmr)
    assert rates.fmr(threshold) <= fmr + 1e-9
    if np.isfinite(threshold):
        assert rates.fmr(np.nextafter(threshold, -np.inf)) > fmr


def test_folds_are_tested_at_the_threshold_of_the_others() -> None:
    scores = np.array([0.1, 0.2, 0.8, 0.9, 0.1, 0.6, 0.5, 0.9])
    mated = np.array([False, False, True, True, False, False, True, True])
    fold = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    # Fold 1 is tested at .5 (the middle of .2 and .8): of .1 .6 .5 .9 only .6 is wrong.
    assert fold_accuracies(TrialScores(scores, mated), fold)[1] == pytest.approx(3 / 4)


def test_one_class_and_bad_scores_are_refused() -> None:
    with pytest.raises(UnusableInput) as caught:
        ErrorRates.of(TrialScores(np.array([0.1, 0.2]), np.array([True, True])))
    assert caught.value.reason.code is ReasonCode.TRIALS_ONE_CLASS
    with pytest.raises(UnusableInput, match="trial 2"):
        TrialScores(np.array([0.1, np.nan]), np.array([True, False]))
    with pytest.raises(UnusableInput, match="There are no trials"):
        TrialScores(np.zeros(0), np.zeros(0, dtype=bool))
    with pytest.raises(UnusableInput, match="Only one of"):
        TrialScores(np.zeros(1), np.zeros(1, dtype=bool), reference_subject=np.array(["a"]))
