"""Calibrations a user keeps, in a real store."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from verify_app.calibration.model import Calibration
from verify_app.evaluation.trials import TrialScores
from verify_app.reasons import ReasonCode, StateError, UnusableInput
from verify_app.services import calibration_library as library
from verify_app.services.application import Application
from verify_app.services.trial_sets import TrialSet


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Application]:
    monkeypatch.setenv("VERIFY_APP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("VERIFY_APP_PASSPHRASE", "correct horse battery staple")
    with Application() as opened:
        yield opened


@pytest.fixture(scope="module")
def trial_set() -> TrialSet:
    rng = np.random.default_rng(0)
    mated = rng.random(400) < 0.3
    scores = TrialScores(rng.normal(size=400) + 2 * mated, mated)
    return TrialSet(scores, (), None, None, "scores", "any", "scores", "file", "a test", history=("Left out nothing",))


def test_saved_listed_used_and_removed(app: Application, trial_set: TrialSet) -> None:
    first = library.save(app, library.fit_trial_set(trial_set, target_fmr=0.1, name="first"))
    second = library.save(app, library.fit_trial_set(trial_set, target_fmr=0.05, name="second"), activate=False)
    active = {one.name: one.active for one in app.store.calibrations()}
    assert active == {"first": True, "second": False}
    library.use(app, second)
    active = {one.name: one.active for one in app.store.calibrations()}
    assert active == {"first": False, "second": True}
    library.remove(app, first)
    assert [one.name for one in app.store.calibrations()] == ["second"]


def test_what_the_data_cannot_show_is_not_saved_unless_wanted(app: Application, trial_set: TrialSet) -> None:
    strict = library.fit_trial_set(trial_set, target_fmr=1e-4)
    with pytest.raises(StateError) as caught:
        library.save(app, strict)
    assert caught.value.reason.code is ReasonCode.TARGET_UNSUPPORTED
    assert app.store.calibrations() == []
    library.save(app, library.fit_trial_set(trial_set, target_fmr=1e-4, anyway=True))
    (kept,) = app.store.calibrations()
    assert Calibration.from_json(kept.json).saved_anyway


def test_out_and_in_again(app: Application, trial_set: TrialSet, tmp_path: Path) -> None:
    fitted = library.fit_trial_set(trial_set, target_fmr=0.1, name="travels", expires=date(2100, 1, 1))
    file = library.export(fitted, tmp_path / "calibration.json")
    again = library.import_file(app, file)
    assert again.as_dict() == fitted.as_dict()
    assert again.history == ("Trials from a test", "Left out nothing")


@pytest.mark.parametrize("content", [b"", b"{}", b"[1, 2]", b"\xff\xfe", b'{"schema": 1, "name": "x"}'])
def test_something_else_is_not_imported(app: Application, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "calibration.json"
    file.write_bytes(content)
    with pytest.raises((StateError, UnusableInput)):
        library.import_file(app, file)
    assert app.store.calibrations() == []
