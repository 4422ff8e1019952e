"""The fused rate and its interval, held against people the calibrations have not seen."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from tests.evaluation.people import people
from verify_app.calibration.fit import fit
from verify_app.calibration.model import Calibration
from verify_app.evaluation.intervals import bootstrap_percentiles
from verify_app.evaluation.rates import ErrorRates
from verify_app.evaluation.trials import TrialScores
from verify_app.services.bench.chimeras import RatioTable, distribution, equal_error, reaching, summed
from verify_app.services.bench.fusion import at_predicted

LEVELS = (1e-1, 1e-2, 1e-3)
DIMENSIONS = (12, 16)


def counted(calibrations: list[Calibration], scores: list[np.ndarray], thresholds: np.ndarray) -> np.ndarray:
    shares = [
        distribution(np.interp(values, calibration.curve.score, calibration.curve.llr))
        for values, calibration in zip(scores, calibrations, strict=True)
    ]
    return reaching(summed(*shares)[0], thresholds)


def non_mated(groups: list[TrialScores]) -> list[np.ndarray]:
    return [trials.scores[~trials.mated] for trials in groups]


def group(subjects: int, seed: int) -> list[TrialScores]:
    """People of six kinds, who resemble their own kind: a few wolves decide the rate among few people."""
    return [people(subjects, 4, within=0.6, dimension=d, seed=2 * seed + k, kinds=6) for k, d in enumerate(DIMENSIONS)]


def test_independent_scores_meet_their_prediction() -> None:
    rng = np.random.default_rng(0)
    mated = np.arange(220_000) < 20_000
    halves = [
        [TrialScores(np.where(mated, 2.5, 0.0) + rng.normal(size=mated.size), mated) for _ in range(2)]
        for _ in range(2)
    ]
    calibrations = [fit(half[0], method="tail") for half in halves]
    thresholds = at_predicted((calibrations[0], calibrations[1]), (*LEVELS, 1e-4), 0)[0]
    found = counted(calibrations, non_mated([half[1] for half in halves]), thresholds)
    assert found / (*LEVELS, 1e-4) == pytest.approx(1.0, rel=0.1)


@pytest.mark.slow
def test_the_interval_covers_the_rate_among_other_people() -> None:
    everybody = non_mated(group(400, 1000))
    groups = [group(25, seed) for seed in range(21)]
    true, others, widths = [], [], []
    for fitted, tested in pairwise(groups):
        calibrations = [fit(trials, method="tail") for trials in fitted]
        thresholds, low, high = at_predicted((calibrations[0], calibrations[1]), LEVELS, 0)
        for found, scores in ((true, everybody), (others, non_mated(tested))):
            rates = counted(calibrations, scores, thresholds)
            found.append((low <= rates) & (rates <= high))
        widths.append(high / LEVELS)
    assert np.mean(true) >= 0.95  # the rate of the population
    assert np.mean(others) >= 0.9  # counted among as few people again: twice the variance
    assert (np.median(widths, axis=0) < (2, 3, 10)).all()  # not by saying nothing


def test_percentiles_of_few_subjects_lie_further_out() -> None:
    assert bootstrap_percentiles(None) == pytest.approx((0.025, 0.975))
    assert bootstrap_percentiles(10_000) == pytest.approx((0.025, 0.975), abs=1e-4)
    lows = [bootstrap_percentiles(subjects)[0] for subjects in (2, 5, 25, 125)]
    assert lows == sorted(lows)
    assert bootstrap_percentiles(25)[0] == pytest.approx(0.0176, abs=1e-4)


def test_chimeras_by_convolution_are_those_drawn() -> None:
    trials = people(30, 5, dimension=20, seed=3)
    llrs = 12 * trials.scores - 4
    mated, others = RatioTable.of(trials, llrs).shares()
    assert equal_error(mated, others)[0] == pytest.approx(
        ErrorRates(np.sort(llrs[trials.mated]), np.sort(llrs[~trials.mated])).eer(), abs=2e-3
    )
    rng = np.random.default_rng(1)
    drawn = rng.choice(llrs[~trials.mated], 1_000_000) + rng.choice(llrs[~trials.mated], 1_000_000)
    at = np.quantile(drawn, [0.5, 0.9, 0.999])
    assert reaching(summed(others, others)[0], at) == pytest.approx([0.5, 0.1, 0.001], rel=0.1)
    twice = np.full((1, 30), 2.0)
    assert RatioTable.of(trials, llrs).shares(twice)[0] == pytest.approx(mated)
    with pytest.raises(ValueError, match="known"):
        RatioTable.of(TrialScores(trials.scores, trials.mated), llrs)
