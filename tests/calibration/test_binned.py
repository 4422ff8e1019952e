"""Trials in bins: as small as promised, and true where it matters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.evaluation.people import people
from verify_app.calibration import shipped
from verify_app.calibration.binned import BinnedTrials
from verify_app.calibration.fit import fit
from verify_app.evaluation import dependence
from verify_app.evaluation.rates import ErrorRates
from verify_app.evaluation.trials import TrialScores
from verify_app.reasons import ReasonCode, StateError

TRIALS = people(subjects=40, samples=8)
BINNED = BinnedTrials.of(TRIALS)


def test_rates_are_exact_at_the_edges() -> None:
    again = BINNED.trials()
    assert (again.mated_count, again.non_mated_count) == (TRIALS.mated_count, TRIALS.non_mated_count)
    before, after = ErrorRates.of(TRIALS), ErrorRates.of(again)
    assert np.array_equal(before.fmr(BINNED.edges[:-1]), after.fmr(BINNED.edges[:-1]))
    assert np.array_equal(before.fnmr(BINNED.mated_edges[:-1]), after.fnmr(BINNED.mated_edges[:-1]))
    assert after.eer() == pytest.approx(before.eer(), rel=0.02)
    for target in (1e-2, 1e-3, 1e-4):
        assert after.threshold_at_fmr(target) == pytest.approx(before.threshold_at_fmr(target), abs=5e-3)


def test_what_trials_share_is_kept() -> None:
    again = BINNED.trials()
    for rate in (0.1, 1e-2, 1e-3):
        before, after = (dependence.non_mated(one).at_rate(rate) for one in (TRIALS, again))
        assert after == pytest.approx(before, rel=0.1)
    assert fit(again).supported_fmr == pytest.approx(fit(TRIALS).supported_fmr, rel=0.15)


def test_shipped_with_a_model_and_read_again(tmp_path: Path) -> None:
    file = shipped.write_trials(tmp_path, "c", {1: TRIALS, 3: TRIALS.select(np.arange(0, len(TRIALS), 2))})
    assert file.stat().st_size < 60_000
    assert len(shipped.trials(tmp_path, "c", 1)) == len(TRIALS)
    assert len(shipped.trials(tmp_path, "c", 3)) == -(-len(TRIALS) // 2)
    with pytest.raises(StateError) as caught:
        shipped.trials(tmp_path, "c", 2)
    assert caught.value.reason.code is ReasonCode.NO_CALIBRATION
    with pytest.raises(StateError) as caught:
        shipped.trials(tmp_path, "another", 1)
    assert caught.value.reason.code is ReasonCode.CALIBRATION_INVALID
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(StateError):
        shipped.trials(tmp_path, "c", 1)
    with pytest.raises(StateError):
        shipped.trials(tmp_path / "none", "c", 1)


def test_trials_without_names_cannot_be_counted_by_subject() -> None:
    with pytest.raises(ValueError, match="subjects"):
        BinnedTrials.of(TrialScores(TRIALS.scores, TRIALS.mated))


def test_columns_that_do_not_fit_are_refused() -> None:
    arrays = BINNED.arrays()
    for name, column in (("edges", arrays["edges"][::-1]), ("counts", arrays["counts"][:, 1:])):
        with pytest.raises(ValueError, match=name):
            BinnedTrials.from_arrays({**arrays, name: column})
