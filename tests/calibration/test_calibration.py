"""Fitting, reading and using calibrations."""

import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from tests.evaluation.people import people
from verify_app.calibration import shipped
from verify_app.calibration.fit import fit
from verify_app.calibration.model import Calibration, choose
from verify_app.calibration.tail import Tail, fit_excess, fit_tail
from verify_app.evaluation.trials import TrialScores
from verify_app.reasons import ReasonCode, StateError, UnusableInput, UsageError

PEOPLE = people(subjects=40, samples=6)
OWN = fit(PEOPLE, contract_id="c", name="mine")


def normal_trials(mated: int, non_mated: int, seed: int = 0) -> TrialScores:
    rng = np.random.default_rng(seed)
    labels = np.r_[np.ones(mated, bool), np.zeros(non_mated, bool)]
    return TrialScores(np.r_[rng.normal(4, 1, mated), rng.normal(0, 1, non_mated)], labels)


def test_the_threshold_is_the_counted_one_where_counting_is_possible() -> None:
    trials = normal_trials(2_000, 100_000)
    calibration = fit(trials, target_fmr=1e-2)
    counted = np.mean(trials.scores[~trials.mated] >= calibration.threshold)
    assert 0.0098 < counted <= 0.01
    assert calibration.threshold_at(1e-2) == calibration.threshold
    assert calibration.supports(1e-2)
    assert calibration.supports(3e-5)
    assert not calibration.supports(2.9e-5)


@pytest.mark.parametrize("method", ["logistic", "isotonic", "tail"])
def test_every_method_finds_the_ratio_of_two_normal_distributions(method: str) -> None:
    calibration = fit(normal_trials(20_000, 60_000), method=method)
    assert calibration.method == method
    for score in (1.0, 2.0, 3.0):  # the true log-likelihood ratio of N(4, 1) against N(0, 1) is 4 s - 8
        assert calibration.llr(score) == pytest.approx(4 * score - 8, abs=0.8)


def test_the_tail_predicts_rates_beyond_what_can_be_counted() -> None:
    ratios = []
    for seed in range(20):
        calibration = fit(normal_trials(200, 20_000, seed), method="logistic")
        score = norm.isf(2e-5)  # less than one of 20 000 scores is expected above
        predicted = calibration.predicted_fmr(score)
        ratios.append(predicted.value / 2e-5)
        assert predicted.high > 2e-5
    assert 0.4 < np.exp(np.mean(np.log(ratios))) < 2.5


def test_bounds_of_the_predicted_rate_cover_the_truth() -> None:
    covered = 0
    for seed in range(40):
        predicted = fit(normal_trials(100, 5_000, seed), method="logistic").predicted_fmr(norm.isf(1e-3))
        covered += predicted.low <= 1e-3 <= predicted.high
    assert covered >= 34


@given(st.floats(-1.2, 1.2), st.floats(-1.2, 1.2))
def test_higher_scores_never_mean_less(first: float, second: float) -> None:
    low, high = sorted((first, second))
    assert OWN.llr(low) <= OWN.llr(high)
    assert OWN.predicted_fmr(low).value >= OWN.predicted_fmr(high).value
    interval = OWN.predicted_fmr(low)
    assert 0 < interval.low <= interval.value <= interval.high <= 1


@given(st.floats(1e-7, 0.99))
def test_threshold_and_predicted_rate_are_inverse(fmr: float) -> None:
    threshold = OWN.threshold_at(fmr)
    if np.isfinite(threshold):
        assert OWN.predicted_fmr(threshold).value <= fmr * (1 + 1e-6)


def test_dependent_pairs_support_less() -> None:
    trials = people(subjects=40, samples=6)
    independent = TrialScores(trials.scores, trials.mated)
    assert fit(independent, method="logistic").supported_fmr == pytest.approx(3 / trials.non_mated_count)
    assert fit(trials, method="logistic").supported_fmr > 1.5 * 3 / trials.non_mated_count


def test_two_people_with_two_samples_prove_little() -> None:
    calibration = fit(people(subjects=2, samples=2))
    assert not calibration.supports(0.5)
    assert calibration.figures["needed_non_mated"] > 1000
    assert calibration.threshold == np.inf
    assert Calibration.from_json(calibration.to_json()).threshold == np.inf


def test_wanted_anyway_is_marked_only_when_the_target_is_out_of_reach() -> None:
    assert fit(PEOPLE, target_fmr=1e-6, anyway=True).saved_anyway
    assert not fit(PEOPLE, target_fmr=1e-1, anyway=True).saved_anyway


def test_auto_takes_the_least_cross_validated_cost() -> None:
    costs = OWN.figures["cross_validated_cllr"]
    assert set(costs) == {"logistic", "isotonic", "tail"}
    assert costs[OWN.method] == min(costs.values())
    assert OWN.figures["min_cllr"] <= OWN.figures["cllr"]


def test_json_brings_everything_back_and_stays_small() -> None:
    text = OWN.to_json()
    assert len(text) < 100_000
    again = Calibration.from_json(text)
    assert again.to_json() == text
    for score in np.linspace(-1, 1, 21):
        assert again.predicted_fmr(score) == OWN.predicted_fmr(score)
    assert (again.subjects, again.name, again.contract_id) == (40, "mine", "c")


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 99},
        {"threshold": -5.0},
        {"target_fmr": 0},
        {"references": True},
        {"curve": {"score": [1, 0]}},
        {"origin": "elsewhere"},
        {"created": "yesterday"},
        {"name": ""},
    ],
)
def test_a_changed_record_is_refused(change: dict[str, object]) -> None:
    record = json.loads(OWN.to_json()) | change
    with pytest.raises(StateError) as caught:
        Calibration.from_json(json.dumps(record))
    assert caught.value.reason.code is ReasonCode.CALIBRATION_INVALID


@given(st.text(max_size=40) | st.sampled_from(["[]", "null", "{}", "1", "[" * 100_000]))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(StateError):
        Calibration.from_json(text)


def test_validity() -> None:
    today = date(2030, 1, 1)
    calibration = fit(PEOPLE, contract_id="c", expires=today, method="logistic")
    calibration.check_valid("c", "cosine", today - timedelta(days=1))
    for arguments, code in (
        (("c", "cosine", today), ReasonCode.CALIBRATION_EXPIRED),
        (("d", "cosine", today - timedelta(days=1)), ReasonCode.CALIBRATION_INVALID),
        (("c", "euclidean", today - timedelta(days=1)), ReasonCode.CALIBRATION_INVALID),
    ):
        with pytest.raises(StateError) as caught:
            calibration.check_valid(*arguments)
        assert caught.value.reason.code is code


def test_useless_trials_are_refused() -> None:
    labels = np.array([True, False])
    with pytest.raises(UnusableInput, match="All 2 scores are"):
        fit(TrialScores(np.array([0.5, 0.5]), labels))
    one = np.array(["a", "a"])
    with pytest.raises(UnusableInput) as caught:
        fit(TrialScores(np.array([0.5, 0.1]), labels, one, one))
    assert caught.value.reason.code is ReasonCode.TRIALS_TOO_FEW
    with pytest.raises(UsageError):
        fit(PEOPLE, method="magic")
    with pytest.raises(UsageError):
        fit(PEOPLE, target_fmr=0)


def test_the_smallest_trials_can_be_fitted() -> None:
    for method in ("auto", "logistic", "isotonic", "tail"):
        calibration = fit(TrialScores(np.array([0.9, 0.1]), np.array([True, False])), method=method)
        assert calibration.llr(0.9) >= calibration.llr(0.1)
        assert Calibration.from_json(calibration.to_json()).to_json() == calibration.to_json()


def test_shipped_calibrations(tmp_path: Path) -> None:
    assert shipped.general(tmp_path) == []
    three = fit(PEOPLE, references=3, origin="general", method="logistic")
    shipped.write(tmp_path, [OWN, three])
    found = shipped.general(tmp_path)
    assert [calibration.references for calibration in found] == [1, 3]
    for references, expected in ((1, 1), (2, 1), (3, 3), (9, 3)):
        chosen = choose(found, references)
        assert chosen is not None
        assert chosen.references == expected
    assert choose(found, 0) is None
    for text in ("", "{}", "[1]", "\xff"):
        (tmp_path / shipped.FILE_NAME).write_text(text, encoding="utf-16")
        with pytest.raises(StateError):
            shipped.general(tmp_path)


def test_the_tail_finds_its_own_parameters() -> None:
    rng = np.random.default_rng(5)
    for shape in (-0.3, 0.0001, 0.2):
        uniform = rng.random(200_000)
        excess = np.sort(2.0 * (uniform**-shape - 1) / shape)
        found_scale, found_shape = fit_excess(excess)
        assert found_scale[0] == pytest.approx(2.0, rel=0.03)
        assert found_shape[0] == pytest.approx(shape, abs=0.02)
    assert Tail(1.0, 0.1, 2.0, -0.25).survival(np.array([1.0, 5.0, 9.0, 20.0])) == pytest.approx([0.1, 0.1 / 16, 0, 0])


def test_weights_act_like_repetition() -> None:
    rng = np.random.default_rng(6)
    excess = np.sort(rng.exponential(size=50))
    weights = rng.integers(0, 4, size=(1, 50)).astype(float)
    repeated = np.repeat(excess, weights[0].astype(int))
    assert fit_excess(excess, weights)[1] == pytest.approx(fit_excess(repeated)[1], abs=0.02)


def test_too_few_scores_have_no_tail() -> None:
    assert fit_tail(np.linspace(0, 1, 50)) is None
    assert fit_tail(np.zeros(5000)) is None


SCORES = st.lists(
    st.sampled_from([-1e12, -1.0, -0.5, 0.0, 0.25, 0.5, np.nextafter(0.5, 1), 1.0, 1e-300, 3e5, 1e12])
    | st.floats(-1, 1),
    min_size=2,
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(SCORES, st.integers(0, 2**40 - 1), st.sampled_from(["auto", "logistic", "isotonic", "tail"]), st.booleans())
def test_any_trials_are_fitted_or_refused_in_words(scores: list[float], bits: int, method: str, named: bool) -> None:
    mated = np.array([bool(bits >> place & 1) for place in range(len(scores))])
    subjects = np.arange(len(scores)) % 4
    other = np.where(mated, subjects, (subjects + 1) % 4)
    trials = TrialScores(np.array(scores), mated, *((subjects, other) if named else ()))
    try:
        calibration = fit(trials, method=method, target_fmr=0.05)
    except UnusableInput:
        return  # one class, or all scores equal
    again = Calibration.from_json(calibration.to_json())
    for score in (*scores[:5], -1e13, 1e13):
        assert again.llr(score) == calibration.llr(score)
        interval = calibration.predicted_fmr(score)
        assert 0 < interval.low <= interval.value <= interval.high <= 1
    if np.isfinite(calibration.threshold):
        assert calibration.predicted_fmr(calibration.threshold).value <= 0.05 * (1 + 1e-6)


def test_scores_too_large_to_compute_with_are_refused() -> None:
    with pytest.raises(UnusableInput, match="trial 2"):
        fit(TrialScores(np.array([0.5, 1e200, 0.1]), np.array([True, False, False])))
