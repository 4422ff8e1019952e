"""Intervals: known answers, coverage, and the effect of pairs that share subjects."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from tests.evaluation.people import people
from verify_app.evaluation import dependence
from verify_app.evaluation.bootstrap import replicate, thresholds_for
from verify_app.evaluation.intervals import clopper_pearson, mean_interval, needed_for, rule_of_three
from verify_app.evaluation.rates import ErrorRates
from verify_app.evaluation.report import summarise
from verify_app.evaluation.trials import TrialScores


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_clopper_pearson_agrees_with_scipy(case: tuple[int, int]) -> None:
    errors, trials = case
    ours = clopper_pearson(errors, trials)
    theirs = binomtest(errors, trials).proportion_ci(0.95, method="exact")
    assert ours.low == pytest.approx(theirs.low, abs=1e-9)
    assert ours.high == pytest.approx(theirs.high, abs=1e-9)
    assert ours.low <= ours.value <= ours.high


def test_rule_of_three() -> None:
    assert rule_of_three(3000) == pytest.approx(1e-3)
    assert needed_for(1e-3) == 3000
    assert needed_for(1e-4) == 30_000
    # The rule is the one-sided exact bound without errors, rounded up a little.
    assert 0.999 < rule_of_three(30_000) / (1 - 0.05 ** (1 / 30_000)) < 1.01


def test_mean_of_folds() -> None:
    interval = mean_interval(np.array([0.9, 0.92, 0.94]))
    assert interval.value == pytest.approx(0.92)
    assert interval.high - interval.value == pytest.approx(4.302653 * 0.02 / np.sqrt(3), rel=1e-5)


def test_independent_trials_count_in_full() -> None:
    trials = people(subjects=80, samples=4, between=0.0, within=1.0, seed=3)  # subjects without identity
    effective = dependence.non_mated(trials).at_rate(0.05)
    assert effective > 0.4 * trials.non_mated_count


def test_shared_subjects_count_for_less_and_agree_with_repeated_experiments() -> None:
    at, rates, predicted = 0.35, [], []
    for seed in range(60):
        trials = people(subjects=30, samples=6, seed=seed)
        scores = trials.scores[~trials.mated]
        rate = float(np.mean(scores >= at))
        rates.append(rate)
        predicted.append(rate * (1 - rate) / dependence.non_mated(trials).at(at))
    # The variance that the effective number implies is the variance that new people would show.
    assert 0.6 < np.mean(predicted) / np.var(rates, ddof=1) < 1.8
    assert np.mean(rates) * (1 - np.mean(rates)) / np.mean(predicted) < 0.25 * scores.size


def test_few_subjects_count_once_per_pair() -> None:
    trials = people(subjects=4, samples=10)
    assert dependence.non_mated(trials).at(0.2) == 6


def test_bootstrapped_subjects_spread_like_explicit_ones() -> None:
    trials = people(subjects=40, samples=4)
    thresholds = np.array([0.3, 0.6])
    fast = replicate(trials, thresholds, replicates=2000, seed=1)
    first, second = trials.reference_subject, trials.probe_subject
    assert first is not None
    assert second is not None
    rng = np.random.default_rng(2)
    accepted = trials.scores[:, None] >= thresholds
    rows = []
    for _ in range(600):
        weight = np.bincount(rng.integers(0, 40, 40), minlength=40)
        both = (weight[first] * weight[second])[:, None] * np.ones((1, 2))
        own = np.where(trials.mated, weight[first], 0)[:, None]
        rows.append(
            [
                (both * accepted)[~trials.mated].sum(axis=0) / both[~trials.mated].sum(axis=0),
                1 - (own * accepted).sum(axis=0) / own.sum(axis=0),
            ]
        )
    explicit = np.array(rows).std(axis=0)
    assert fast.fmr.std(axis=0) == pytest.approx(explicit[0], rel=0.35)
    assert fast.fnmr.std(axis=0) == pytest.approx(explicit[1], rel=0.2)


def test_intervals_of_the_eer_cover_the_truth() -> None:
    truth = ErrorRates.of(people(subjects=400, samples=6, seed=99)).eer()
    covered = 0
    for seed in range(40):
        interval = summarise(people(subjects=30, samples=6, seed=seed)).eer
        covered += interval.low <= truth <= interval.high
    assert covered >= 33  # 95 % of 40 is 38; 33 or fewer would happen once in a thousand such tests


def test_summary_of_a_perfect_system_still_has_an_upper_bound() -> None:
    trials = TrialScores(np.r_[np.ones(50), np.zeros(200)], np.r_[np.ones(50, bool), np.zeros(200, bool)])
    summary = summarise(trials)
    assert summary.eer.value == 0.0
    assert summary.eer.high == pytest.approx(1 - 0.025 ** (1 / 50))
    point = summary.operating_points[0]
    assert (point.target_fmr, point.supported, point.needed_non_mated) == (1e-2, False, 100)
    assert summary.as_dict()["fnmr_at_fmr"]["1e-03"]["needed_non_mated"] == 2800


def test_the_same_seed_gives_the_same_summary() -> None:
    trials = people(subjects=12, samples=4)
    assert summarise(trials).as_dict() == summarise(trials).as_dict()


def test_curves_bound_the_replicates() -> None:
    trials = people(subjects=12, samples=4)
    drawn = replicate(trials, thresholds_for(ErrorRates.of(trials)))
    assert (np.diff(drawn.fmr, axis=1) <= 1e-12).all()
    assert (np.diff(drawn.fnmr, axis=1) >= -1e-12).all()
    assert np.isfinite(drawn.eer()).all()
