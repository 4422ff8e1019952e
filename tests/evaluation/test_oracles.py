"""Our error rates against other programs, where the definitions agree: PyEER, llreval and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from llreval.bayes_error_rate import fast_Bayes_error_rate
from llreval.cllr import cllr as their_cllr
from llreval.quick_eval import tarnon_2_eer_cllr_mincllr
from pyeer.eer_info import get_eer_stats
from sklearn.metrics import roc_auc_score

from tests.evaluation.people import people
from verify_app.evaluation.cost import Costs, min_cost
from verify_app.evaluation.likelihood import cllr, min_cllr
from verify_app.evaluation.rates import ErrorRates

PEOPLE = ErrorRates.of(people(subjects=40, samples=5))
scores = arrays(np.float64, st.integers(2, 60), elements=st.integers(-40, 40).map(lambda number: number / 8))


@given(scores, scores)
def test_equal_errors_and_likelihood_costs_are_those_of_llreval(mated: np.ndarray, others: np.ndarray) -> None:
    rates = ErrorRates(np.sort(mated), np.sort(others))
    eer, cost, least = tarnon_2_eer_cllr_mincllr(mated, others)
    assert rates.eer() == pytest.approx(eer, abs=2e-6)  # they search for it, we cut the hull
    assert cllr(mated, others) == pytest.approx(cost)
    assert min_cllr(rates) == pytest.approx(least, abs=1e-9)


def test_the_same_on_people() -> None:
    eer, _, least = tarnon_2_eer_cllr_mincllr(PEOPLE.mated, PEOPLE.non_mated)
    assert PEOPLE.eer() == pytest.approx(eer, abs=1e-6)
    assert min_cllr(PEOPLE) == pytest.approx(least, abs=1e-9)
    llrs = (8 * PEOPLE.mated - 3, 8 * PEOPLE.non_mated - 3)
    assert cllr(*llrs) == pytest.approx(their_cllr(*llrs))


@pytest.mark.parametrize("prior", [0.01, 0.3, 0.9])
def test_the_bayes_threshold_costs_what_llreval_says(prior: float) -> None:
    llrs = ErrorRates(8 * PEOPLE.mated - 3, 8 * PEOPLE.non_mated - 3)
    costs = Costs(prior=prior)
    joined = np.concatenate([llrs.mated, llrs.non_mated])
    labels = np.arange(joined.size) < llrs.mated.size
    theirs = float(fast_Bayes_error_rate(joined, labels.astype(int), np.array([np.log(prior / (1 - prior))]))[0])
    threshold = costs.llr_threshold
    ours = float(costs.of(llrs.fmr([threshold]), llrs.fnmr([threshold]))[0]) * min(prior, 1 - prior)
    assert ours == pytest.approx(theirs)
    assert min_cost(llrs, costs)[0] * min(prior, 1 - prior) <= theirs + 1e-12


def test_rates_at_operating_points_are_those_of_pyeer() -> None:
    found = get_eer_stats(PEOPLE.mated.tolist(), PEOPLE.non_mated.tolist())
    # They take the point nearest to a rate, we the last one that does not exceed it: so at their threshold.
    for threshold, theirs in ((found.fmr1000_th, found.fmr1000), (found.fmr100_th, found.fmr100)):
        assert PEOPLE.fnmr(threshold) == pytest.approx(theirs, abs=1e-12)
    thresholds = np.array(found.thrs)
    assert PEOPLE.fmr(thresholds) == pytest.approx(np.array(found.fmr), abs=1e-12)
    assert PEOPLE.fnmr(thresholds) == pytest.approx(np.array(found.fnmr), abs=1e-12)
    assert PEOPLE.auc() == pytest.approx(found.auc, abs=1e-3)  # theirs joins steps by straight lines
    assert found.eer - 0.01 < PEOPLE.eer() <= found.eer_high  # theirs is not on the hull, which lies below the steps


def test_the_area_is_that_of_scikit_learn() -> None:
    labels = np.repeat([True, False], [PEOPLE.mated.size, PEOPLE.non_mated.size])
    assert PEOPLE.auc() == pytest.approx(roc_auc_score(labels, np.concatenate([PEOPLE.mated, PEOPLE.non_mated])))
