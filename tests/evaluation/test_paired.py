"""Differences between two systems on the same trials."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.evaluation.people import people
from verify_app.evaluation.bootstrap import replicate, thresholds_for
from verify_app.evaluation.intervals import percentile_interval
from verify_app.evaluation.paired import differences
from verify_app.evaluation.rates import ErrorRates
from verify_app.evaluation.trials import TrialScores
from verify_app.reasons import UnusableInput

FIRST = people(subjects=30, samples=5)


def noisier(amount: float, seed: int = 0) -> TrialScores:
    noise = np.random.default_rng(seed).normal(size=len(FIRST))
    return replace(FIRST, scores=FIRST.scores + amount * noise)


def test_a_system_does_not_differ_from_itself() -> None:
    for one in differences(FIRST, replace(FIRST, scores=2 * FIRST.scores + 1)):
        assert one.first == one.second
        assert one.difference.value == 0
        assert not one.told_apart
        assert one.difference.low == pytest.approx(0, abs=0.01)
        assert one.difference.high == pytest.approx(0, abs=0.01)


def test_a_worse_system_is_told_apart_by_its_sign() -> None:
    found = differences(FIRST, noisier(0.3))
    assert [one.target_fmr for one in found] == [None, 1e-2, 1e-3]
    for one in found:
        assert one.difference.value == pytest.approx(one.second - one.first)
        assert one.difference.low <= one.difference.value <= one.difference.high
    assert found[0].told_apart
    assert found[0].difference.low > 0
    assert differences(noisier(0.3), FIRST)[0].difference.high < 0


def test_pairing_makes_the_interval_narrower() -> None:
    """What makes trials hard for both systems cancels out; independent draws would add it twice."""
    second = noisier(0.03)
    paired = differences(FIRST, second)[0].difference
    rates = [ErrorRates.of(trials) for trials in (FIRST, second)]
    drawn = [
        replicate(t, thresholds_for(r), seed=s).eer() for t, r, s in zip((FIRST, second), rates, (1, 2), strict=True)
    ]
    apart = percentile_interval(rates[1].eer() - rates[0].eer(), drawn[1] - drawn[0])
    assert paired.high - paired.low < 0.7 * (apart.high - apart.low)


def test_other_trials_are_refused() -> None:
    for other in (
        FIRST.select(np.arange(len(FIRST) - 1)),
        FIRST.select(np.arange(len(FIRST))[::-1]),
        TrialScores(FIRST.scores, FIRST.mated),
    ):
        with pytest.raises(UnusableInput, match="same trials"):
            differences(FIRST, other)


def test_trials_without_names_are_compared_too() -> None:
    first, second = (TrialScores(one.scores, one.mated) for one in (FIRST, noisier(0.3)))
    found = differences(first, second)[0]
    assert found.told_apart
    assert found.difference.low < found.difference.value < found.difference.high
