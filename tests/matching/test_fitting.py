"""Similarities that are fitted to some people, calibrated on others, kept and read again."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest

from tests.evaluation.people import vectors
from verify_app.calibration.fit import fit
from verify_app.calibration.model import UNFITTED, Calibration
from verify_app.evaluation.rates import ErrorRates
from verify_app.matching.fitting import FEWEST_PEOPLE, FOLDS, CrossFitted, cross_fit, fit_similarity
from verify_app.matching.normalisation import AsNorm
from verify_app.matching.pairs import score_pairs
from verify_app.matching.records import as_record, embeddings_in, from_record, similarity_of
from verify_app.matching.similarity import names
from verify_app.reasons import ReasonCode, StateError, UnusableInput, UsageError

X, Y = vectors(36, 4, within=0.8)
ALL = ("mahalanobis", "lda", "plda", "kernel", "as-norm", "local", "pca-9", "truncated-9")
PAIRS = score_pairs(X, Y)


@pytest.fixture(scope="module", params=ALL)
def fitted(request: pytest.FixtureRequest) -> CrossFitted:
    return cross_fit(request.param, X, Y, PAIRS)


def kept(found: CrossFitted, **changes: Any) -> Calibration:
    record = as_record(found.similarity)
    parameters = {"record": record, "contract": "c", "embeddings": embeddings_in(record), "samples": []}
    parameters["subjects"] = found.subjects
    calibration = fit(replace(PAIRS.trials, scores=found.scores), contract_id="c", similarity=found.similarity.name)
    return replace(calibration, **{"parameters": parameters, **changes})


def test_every_trial_is_scored_and_people_are_told_apart(fitted: CrossFitted) -> None:
    assert np.isfinite(fitted.scores).all()
    assert fitted.subjects == 36 * (FOLDS - 2) // FOLDS
    assert ErrorRates.of(replace(PAIRS.trials, scores=fitted.scores)).eer() < 0.25


def test_no_trial_is_scored_by_a_similarity_that_saw_its_people() -> None:
    """A similarity that saw a person knows their samples by heart: as-norm finds them in its cohort."""
    seen: list[set[int]] = []
    found = cross_fit("as-norm", X, Y, PAIRS)
    cohort = from_record(as_record(found.similarity)).cohort  # type: ignore[attr-defined]
    centres = {one: X[one == Y].mean(axis=0) / np.linalg.norm(X[one == Y].mean(axis=0)) for one in np.unique(Y)}
    seen = [{one for one, centre in centres.items() if np.allclose(row, centre, atol=1e-5)} for row in cohort]
    held = set.union(*seen)
    assert held == set(Y[found.rows].tolist())
    apart = ~np.isin(Y[PAIRS.reference_rows], list(held)) & ~np.isin(Y[PAIRS.probe_rows], list(held))
    assert np.count_nonzero(apart) > 100
    again = found.similarity.compare(X[PAIRS.probe_rows[apart]], X[PAIRS.reference_rows[apart]]).diagonal()
    between = Y[PAIRS.reference_rows[apart]] != Y[PAIRS.probe_rows[apart]]
    same_model = np.isclose(again, found.scores[apart], atol=1e-9)
    assert same_model[between].sum() >= 36 * 4 * 4  # the pairs across the two folds the kept one did not see


def test_what_is_kept_scores_as_before(fitted: CrossFitted) -> None:
    record = json.loads(json.dumps(as_record(fitted.similarity)))
    again = from_record(record)
    assert again.name == fitted.similarity.name
    assert np.array_equal(again.compare(X[:7], X[9:20]), fitted.similarity.compare(X[:7], X[9:20]))


def test_export_and_import_bring_the_similarity_back(fitted: CrossFitted) -> None:
    calibration = kept(fitted)
    again = Calibration.from_json(calibration.to_json())
    assert again.to_json() == calibration.to_json()
    again.check_valid("c", fitted.similarity.name, date(2030, 1, 1))
    found = similarity_of(again, X.shape[1])
    assert np.array_equal(found.compare(X[:3], X[5:9]), fitted.similarity.compare(X[:3], X[5:9]))
    holds = fitted.similarity.name in ("kernel", "as-norm cosine", "local cosine")
    assert (again.embeddings > 0) == holds


def test_without_its_own_parameters_a_calibration_decides_nothing() -> None:
    found = cross_fit("lda", X, Y, PAIRS)
    good = kept(found)
    for changes in ({"parameters": None}, {"parameters": {**(good.parameters or {}), "contract": "another"}}):
        with pytest.raises(StateError) as caught:
            replace(good, **changes).check_valid("c", "lda", date(2030, 1, 1))
        assert caught.value.reason.code is ReasonCode.CALIBRATION_INVALID
    with pytest.raises(StateError):
        similarity_of(replace(good, parameters=None), 24)
    with pytest.raises(StateError):
        similarity_of(good, 25)  # embeddings of another length
    with pytest.raises(StateError):
        similarity_of(replace(good, similarity="plda"), 24)


@pytest.mark.parametrize("damage", ["text", "short", "nan", "kind", "missing"])
def test_damaged_parameters_are_refused(damage: str) -> None:
    good = kept(cross_fit("plda", X, Y, PAIRS))
    assert good.parameters is not None
    record = json.loads(json.dumps(good.parameters["record"]))
    if damage == "text":
        record["basis"]["float32"] = "no base64"
    elif damage == "short":
        record["basis"]["float32"] = record["basis"]["float32"][:-8]
    elif damage == "nan":
        record["between"] = {"shape": [24], "float32": ("AADA/w==" * 24)}
    elif damage == "kind":
        record["kind"] = "magic"
    else:
        del record["centre"]
    with pytest.raises(StateError) as caught:
        similarity_of(replace(good, parameters={**good.parameters, "record": record}), 24)
    assert caught.value.reason.code is ReasonCode.CALIBRATION_INVALID


def test_a_person_of_the_cohort_is_no_stranger_to_themselves() -> None:
    """The best in the cohort is left out, so it hardly matters whether somebody is in it."""
    inside, outside = fit_similarity("as-norm", X, Y), fit_similarity("as-norm", X[Y != 0], Y[Y != 0])
    assert isinstance(inside, AsNorm)
    assert isinstance(outside, AsNorm)
    own = np.flatnonzero(Y == 0)

    def mated(chosen: AsNorm) -> float:
        return float(chosen.compare(X[own[:2]], X[own[2:]]).mean())

    assert mated(inside) == pytest.approx(mated(outside), rel=0.2)
    not_left_out = [replace(chosen, spared=0) for chosen in (inside, outside)]
    assert mated(not_left_out[0]) < 0.7 * mated(not_left_out[1])


def test_too_few_people_and_unknown_names() -> None:
    few = FEWEST_PEOPLE - 1
    rows = few > Y
    with pytest.raises(UnusableInput, match=f"at least {FEWEST_PEOPLE} people"):
        cross_fit("lda", X[rows], Y[rows], score_pairs(X[rows], Y[rows]))
    for name in ("magic", "pca-", "pca-0", "pca-99", "truncated-x", "pca--3"):
        with pytest.raises(UsageError):
            fit_similarity(name, X, Y)


def test_the_plain_ones_need_no_parameters() -> None:
    assert names(fitted=False) == UNFITTED
