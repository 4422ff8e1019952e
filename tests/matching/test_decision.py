"""The decision fails shut, and fusion predicts the rate that simulation shows."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evaluation.people import people
from verify_app.calibration.fit import fit
from verify_app.domain import Comparison, Modality
from verify_app.evaluation.rates import ErrorRates
from verify_app.evaluation.trials import TrialScores
from verify_app.matching.decision import decide, decide_each, one_in
from verify_app.matching.fusion import fused_fmr, quality_weight
from verify_app.reasons import ReasonCode

FACE_TRIALS = people(subjects=60, samples=5, dimension=40, seed=1)
VOICE_TRIALS = people(subjects=60, samples=5, dimension=20, seed=2)
FACE = fit(FACE_TRIALS, contract_id="f", modality="face", name="faces", expires=date(2030, 1, 1))
VOICE = fit(VOICE_TRIALS, contract_id="v", modality="voice", name="voices")
BOTH = {Modality.FACE: FACE, Modality.VOICE: VOICE}
TODAY = date(2029, 6, 1)


def face(score: float, quality: float = 0.9) -> Comparison:
    return Comparison(Modality.FACE, score, "cosine", 3, quality, "f")


def voice(score: float, quality: float = 0.9) -> Comparison:
    return Comparison(Modality.VOICE, score, "cosine", 3, quality, "v")


@given(st.floats(-1, 1), st.sampled_from([1e-2, 1e-3]))
def test_one_comparison_is_accepted_from_the_threshold_on(score: float, target: float) -> None:
    decision = decide([face(score)], BOTH, target, today=TODAY)
    assert decision.verified == (score >= FACE.threshold_at(target))
    assert decision.reason.code is (ReasonCode.VERIFIED if decision.verified else ReasonCode.SCORE_BELOW_THRESHOLD)
    assert decision.reason.message
    predicted = decision.predicted_fmr
    assert predicted is not None
    if decision.verified:
        assert predicted.value <= target * (1 + 1e-6)
    assert decision.comparisons[0].llr == FACE.llr(score)
    assert decision.comparisons[0].calibration == "faces"


def test_the_exact_threshold_is_accepted_and_the_number_below_is_not() -> None:
    assert decide([face(FACE.threshold)], BOTH, 1e-3, today=TODAY).verified
    assert not decide([face(float(np.nextafter(FACE.threshold, -1)))], BOTH, 1e-3, today=TODAY).verified


@pytest.mark.parametrize(
    ("comparisons", "calibrations", "target", "today", "code"),
    [
        ([], BOTH, 1e-3, TODAY, ReasonCode.NOT_ENROLLED),
        ([face(1.0)], {}, 1e-3, TODAY, ReasonCode.NO_CALIBRATION),
        ([face(1.0)], {Modality.FACE: VOICE}, 1e-3, TODAY, ReasonCode.CALIBRATION_INVALID),
        ([face(1.0)], BOTH, 1e-3, date(2030, 1, 1), ReasonCode.CALIBRATION_EXPIRED),
        ([replace(face(1.0), contract_id="x")], BOTH, 1e-3, TODAY, ReasonCode.CALIBRATION_INVALID),
        ([replace(face(1.0), similarity="euclidean")], BOTH, 1e-3, TODAY, ReasonCode.CALIBRATION_INVALID),
        ([replace(face(1.0), references=0)], BOTH, 1e-3, TODAY, ReasonCode.CALIBRATION_INVALID),
        ([face(1.0)], BOTH, 1e-7, TODAY, ReasonCode.TARGET_UNSUPPORTED),
        ([face(float("nan"))], BOTH, 1e-3, TODAY, ReasonCode.INTERNAL),
        ([face(float("inf"))], BOTH, 1e-3, TODAY, ReasonCode.INTERNAL),
        ([face(1.0), face(1.0)], BOTH, 1e-3, TODAY, ReasonCode.INTERNAL),
        ([face(1.0), replace(voice(1.0), contract_id="x")], BOTH, 1e-3, TODAY, ReasonCode.CALIBRATION_INVALID),
        ([face(1.0)], BOTH, 0.0, TODAY, ReasonCode.SETTINGS_INVALID),
        ([face(1.0)], BOTH, float("nan"), TODAY, ReasonCode.SETTINGS_INVALID),
        ([face(1.0)], BOTH, 1.0, TODAY, ReasonCode.SETTINGS_INVALID),
    ],
)
def test_every_doubt_is_a_no_with_its_reason(comparisons, calibrations, target, today, code) -> None:  # type: ignore[no-untyped-def]
    decision = decide(comparisons, calibrations, target, today=today)
    assert not decision.verified
    assert decision.reason.code is code
    assert decision.reason.message


def test_a_calibration_saved_anyway_decides_and_says_so() -> None:
    anyway = fit(people(subjects=12, samples=4), contract_id="f", name="small", target_fmr=2e-3, anyway=True)
    assert anyway.saved_anyway
    decision = decide([face(1.0)], {Modality.FACE: anyway}, 2e-3, today=TODAY)
    assert decision.verified
    assert "cannot show that rate" in decision.reason.message
    assert decide([face(1.0)], {Modality.FACE: anyway}, 1e-3, today=TODAY).reason.code is ReasonCode.TARGET_UNSUPPORTED


def test_it_is_told_whether_a_rate_was_counted_or_extrapolated() -> None:
    others = np.sort(FACE_TRIALS.scores[~FACE_TRIALS.mated])
    for score, extrapolated in ((float(others[-500]), False), (float(others[-1]) + 0.05, True)):
        (comparison,) = decide([face(score)], BOTH, 1e-2, today=TODAY).comparisons
        assert comparison.extrapolated is extrapolated
        assert FACE.extrapolates(score) is extrapolated


def test_a_refusal_says_what_to_try_for_what_was_compared_alone() -> None:
    by_face = decide([face(-1.0)], BOTH, 1e-3, today=TODAY).reason.advice
    by_voice = decide([voice(-1.0)], BOTH, 1e-3, today=TODAY).reason.advice
    by_both = decide([face(-1.0), voice(-1.0)], BOTH, 1e-3, today=TODAY).reason.advice
    assert [("light" in told, "speech" in told) for told in (by_face, by_voice, by_both)] == [
        (True, False),
        (False, True),
        (True, True),
    ]


def test_fusion_decides_on_the_sum() -> None:
    strong, weak = 0.95, FACE.threshold - 0.05
    assert not decide([face(weak)], BOTH, 1e-3, today=TODAY).verified
    together = decide([face(weak), voice(strong)], BOTH, 1e-3, today=TODAY)
    assert together.verified
    assert together.llr == pytest.approx(FACE.llr(weak) + VOICE.llr(strong))
    assert [comparison.modality for comparison in together.comparisons] == ["face", "voice"]
    assert not decide([face(-0.5), voice(VOICE.threshold)], BOTH, 1e-3, today=TODAY).verified


def test_a_poor_sample_counts_less() -> None:
    good = decide([face(0.95), voice(0.2)], BOTH, 1e-3, today=TODAY)
    poor = decide([face(0.95, quality=0.1), voice(0.2)], BOTH, 1e-3, today=TODAY)
    assert good.llr is not None
    assert poor.llr is not None
    assert poor.llr < good.llr
    assert quality_weight(float("nan")) == quality_weight(0.0) == 0.1
    assert quality_weight(1.0) == 1.0
    assert all(np.diff([quality_weight(quality) for quality in np.linspace(0, 1, 21)]) >= 0)


def test_poor_light_leaves_the_voice_to_decide_and_noise_the_face() -> None:
    high, low = 0.95, -0.2
    for poor, verified in (("face", False), ("voice", True)):
        qualities = {"face": 0.9, "voice": 0.9, poor: 0.05}
        decision = decide([face(high, qualities["face"]), voice(low, qualities["voice"])], BOTH, 1e-2, today=TODAY)
        assert decision.verified == verified  # a good face outweighs a bad voice only when the voice is hard to hear


def test_the_upper_bound_of_the_fused_rate_decides() -> None:
    answers = [decide([face(score), voice(0.6)], BOTH, 1e-2, today=TODAY) for score in np.linspace(-0.2, 1, 60)]
    rates = [answer.predicted_fmr for answer in answers]
    assert all(
        answer.verified == (rate is not None and rate.high <= 1e-2) for answer, rate in zip(answers, rates, strict=True)
    )
    between = [answer for answer, rate in zip(answers, rates, strict=True) if rate and rate.value <= 1e-2 < rate.high]
    assert between
    assert "at the most" in between[0].reason.message


def test_the_highest_ratios_are_as_rare_as_the_calibrations_can_tell() -> None:
    top = float(FACE.curve.llr[-1] + VOICE.curve.llr[-1])
    for llr in (top, top + 1e-12, top + 5):
        rate = fused_fmr(llr, FACE, VOICE, (1.0, 1.0))
        assert rate.value >= FACE.curve.fmr[-1] * VOICE.curve.fmr[-1] > 0
        assert rate.low > 0


@pytest.mark.parametrize("weights", [(1.0, 1.0), (0.3, 1.0)])
def test_the_fused_rate_is_the_one_simulation_shows(weights: tuple[float, float]) -> None:
    rng = np.random.default_rng(0)
    draws = [
        np.interp(rng.choice(trials.scores[~trials.mated], 1_000_000), calibration.curve.score, calibration.curve.llr)
        for trials, calibration in ((FACE_TRIALS, FACE), (VOICE_TRIALS, VOICE))
    ]
    fused = weights[0] * draws[0] + weights[1] * draws[1]
    for level in (0.3, 1e-2, 1e-3):
        llr = float(np.quantile(fused, 1 - level))
        predicted = fused_fmr(llr, FACE, VOICE, weights)
        assert predicted.value == pytest.approx(np.mean(fused >= llr), rel=0.15)
        assert predicted.low <= predicted.value <= predicted.high


@given(st.floats(-30, 30), st.floats(-30, 30))
def test_a_higher_fused_ratio_is_never_more_likely_by_chance(first: float, second: float) -> None:
    low, high = sorted((first, second))
    weights = (1.0, 0.7)
    assert fused_fmr(low, FACE, VOICE, weights).value >= fused_fmr(high, FACE, VOICE, weights).value
    assert fused_fmr(low, FACE, VOICE, weights).value == pytest.approx(
        fused_fmr(low, VOICE, FACE, weights[::-1]).value, rel=0.05, abs=1e-12
    )


def test_fused_errors_are_lower_than_either_alone() -> None:
    rng = np.random.default_rng(3)
    count = 2000
    labels = np.repeat([True, False], count)
    llrs = []
    eers = []
    for trials, calibration in ((FACE_TRIALS, FACE), (VOICE_TRIALS, VOICE)):
        drawn = np.r_[rng.choice(trials.scores[trials.mated], count), rng.choice(trials.scores[~trials.mated], count)]
        eers.append(ErrorRates.of(TrialScores(drawn, labels)).eer())
        llrs.append(np.array([calibration.llr(score) for score in drawn]))
    fused = ErrorRates.of(TrialScores(llrs[0] + llrs[1], labels)).eer()
    assert fused < min(eers)


def test_rates_as_people_say_them() -> None:
    assert one_in(1e-3) == "1 in 1 000"
    assert one_in(1.234e-5) == "1 in 81 000"
    assert one_in(0.7) == "0.7"
    assert one_in(3e-12) == "less than 1 in 1 000 000"


@given(
    st.lists(
        st.builds(
            Comparison,
            modality=st.sampled_from([Modality.FACE, Modality.VOICE]),
            score=st.floats(-1.5, 1.5) | st.sampled_from([float("nan"), float("inf"), FACE.threshold]),
            similarity=st.sampled_from(["cosine", "euclidean"]),
            references=st.integers(0, 3),
            quality=st.floats(0, 1),
            contract_id=st.sampled_from(["f", "f", "x"]),
        ),
        max_size=12,
    ),
    st.sampled_from([1e-2, 1e-3, 1e-7, 0.0]),
    st.sampled_from([TODAY, date(2031, 1, 1)]),
)
def test_many_at_once_are_decided_like_each_alone(comparisons: list[Comparison], target: float, today: date) -> None:
    alone = [decide([one], {Modality.FACE: FACE}, target, today=today) for one in comparisons]
    together = decide_each(comparisons, FACE, target, today=today)
    assert [repr(one) for one in together] == [repr(one) for one in alone]  # "nan" differs from itself
