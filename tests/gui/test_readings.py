"""What a threshold does: counts by hand, intervals that hold the value, honest claims, and speed."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verify_app.domain import Interval
from verify_app.evaluation.intervals import needed_for
from verify_app.evaluation.live import LiveRates
from verify_app.evaluation.trials import TrialScores
from verify_app.gui.calibration.readings import histogram, reliability
from verify_app.gui.calibration.what_if import false_alarm_rate


def trials(count: int = 2000, subjects: int | None = 40, seed: int = 0) -> TrialScores:
    rng = np.random.default_rng(seed)
    mated = rng.random(count) < 0.2
    scores = rng.normal(size=count) + 3 * mated
    if subjects is None:
        return TrialScores(scores, mated)
    reference = rng.integers(0, subjects, count)
    probe = np.where(mated, reference, (reference + 1 + rng.integers(0, subjects - 1, count)) % subjects)
    return TrialScores(scores, mated, reference, probe)


@given(st.floats(-4, 8))
@settings(deadline=None, max_examples=60)
def test_counts_are_those_of_the_scores(threshold: float) -> None:
    data = trials()
    reading = LIVE.at(threshold)
    assert reading.false_matches == int(np.sum(data.scores[~data.mated] >= threshold))
    assert reading.false_non_matches == int(np.sum(data.scores[data.mated] < threshold))
    for rate in (reading.fmr, reading.fnmr):
        assert 0 <= rate.low <= rate.value <= rate.high <= 1


LIVE = LiveRates(trials())


def test_a_higher_threshold_never_accepts_more() -> None:
    readings = [LIVE.at(threshold) for threshold in np.linspace(-4, 8, 60)]
    assert all(a.fmr.value >= b.fmr.value for a, b in pairwise(readings))
    assert all(a.fnmr.value <= b.fnmr.value for a, b in pairwise(readings))


def test_shared_subjects_widen_the_interval() -> None:
    rng = np.random.default_rng(1)
    wolf = 0.9 * (np.arange(20) == 3)  # one subject whom many resemble
    subject = np.repeat(np.arange(20), 4)
    first, second = np.triu_indices(80, 1)
    mated = subject[first] == subject[second]
    scores = rng.normal(size=first.size) * 0.5 + 4 * mated + wolf[subject[first]] + wolf[subject[second]]
    named = LiveRates(TrialScores(scores, mated, subject[first], subject[second])).at(1.2)
    unnamed = LiveRates(TrialScores(scores, mated)).at(1.2)
    assert named.fmr.value == unnamed.fmr.value
    assert named.fmr.high > unnamed.fmr.high


def test_the_rule_of_three_decides_what_can_be_claimed() -> None:
    data = trials(subjects=None)
    live = LiveRates(data)
    least = 3 / data.non_mated_count
    assert live.support(least * 1.01).supported
    refused = live.support(least / 2)
    assert not refused.supported
    assert refused.comparisons == pytest.approx(needed_for(least / 2) - data.non_mated_count, abs=2)
    assert refused.people is None


def test_more_people_are_asked_for_when_people_are_known() -> None:
    refused = LIVE.support(1e-5)
    assert refused.people is not None
    assert refused.people > 0
    # So many people give at least so many further comparisons, at the present number for each pair of people.
    pairs = LIVE.rates.non_mated.size / (40 * 39 / 2)
    together = 40 + refused.people
    assert pairs * together * (together - 1) / 2 >= LIVE.rates.non_mated.size + refused.comparisons


def test_two_people_with_two_samples_each_prove_very_little() -> None:
    scores = np.array([0.9, 0.8, 0.1, 0.2, 0.15, 0.3])
    mated = np.array([True, True, False, False, False, False])
    names = np.array(["a", "b", "a", "a", "a", "a"])
    others = np.array(["a", "b", "b", "b", "b", "b"])
    live = LiveRates(TrialScores(scores, mated, names, others))
    reading = live.at(0.5)
    assert reading.fmr.value == 0
    assert reading.fmr.high > 0.6  # one pair of people, whatever the number of samples
    assert not live.support(1e-2).supported


def test_each_histogram_has_area_one() -> None:
    shape = histogram(LIVE.rates)
    widths = np.diff(shape.edges)
    assert np.sum(shape.mated * widths) == pytest.approx(1)
    assert np.sum(shape.non_mated * widths) == pytest.approx(1)


def test_true_likelihood_ratios_are_reliable() -> None:
    rng = np.random.default_rng(2)
    mated, others = rng.normal(1, 1, 40_000), rng.normal(-1, 1, 40_000)
    found = reliability(2 * mated, 2 * others)  # the exact log-likelihood ratio of these two normals
    assert np.abs(found.predicted - found.measured).max() < 0.03
    assert np.all((found.low <= found.measured) & (found.measured <= found.high))


def test_exaggerated_likelihood_ratios_are_shown_up() -> None:
    rng = np.random.default_rng(3)
    mated, others = rng.normal(1, 1, 20_000), rng.normal(-1, 1, 20_000)
    found = reliability(8 * mated, 8 * others)
    outside = (found.predicted < found.low) | (found.predicted > found.high)
    assert outside.sum() >= 6


def test_a_gallery_multiplies_false_alarms() -> None:
    rate = false_alarm_rate(Interval(1e-4, 1e-5, 1e-3), 1000)
    assert rate.value == pytest.approx(1 - (1 - 1e-4) ** 1000)
    assert rate.low < rate.value < rate.high


def test_a_reading_of_a_hundred_thousand_trials_takes_no_time() -> None:
    live = LiveRates(trials(100_000, subjects=400))
    thresholds = np.linspace(-4, 8, 200)
    begin = time.process_time()
    for threshold in thresholds:
        live.at(float(threshold))
    assert (time.process_time() - begin) / thresholds.size < 0.004  # of the 16 ms that a frame has
