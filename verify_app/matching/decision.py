"""The decision: verified only when every condition holds, and a reason for every answer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date

from verify_app.calibration.model import Calibration
from verify_app.domain import Comparison, Decision, Interval, Modality
from verify_app.matching.fusion import fused_fmr, fused_llr, quality_weight
from verify_app.reasons import Reason, ReasonCode, StateError

RAREST = 1e-6
"""The rarest false-match rate that is put into words."""


def decide(
    comparisons: Sequence[Comparison],
    calibrations: Mapping[Modality, Calibration],
    target_fmr: float,
    *,
    today: date | None = None,
) -> Decision:
    """Decide whether probes and references are of one subject.

    One comparison is accepted when its score reaches the threshold of ``target_fmr``. A face and a voice
    are accepted when the upper bound of the false-match rate predicted for their fused likelihood ratio is at
    most ``target_fmr``: the rate itself rests on an independence that cannot be shown. Whatever is missing,
    expired, out of place or not a number makes the answer a no.

    Args:
        comparisons: one, or one for each modality.
        calibrations: the calibration of each modality compared.
        target_fmr: false-match rate that may not be exceeded, above 0 and below 1.
        today: the day validity is judged on; the present day when None.
    """
    found = tuple(_interpret(comparison, calibrations, target_fmr) for comparison in comparisons)
    refusal = _first_doubt(found, calibrations, target_fmr, today or date.today())
    if refusal is not None:
        return Decision(False, refusal, target_fmr, comparisons=found)
    used = [calibrations[comparison.modality] for comparison in found]
    if len(found) == 1:
        return _decide_one(found[0], target_fmr, _ending(used, target_fmr))
    return _decide_two(found, (used[0], used[1]), target_fmr)


def decide_each(
    comparisons: Sequence[Comparison], calibration: Calibration, target_fmr: float, *, today: date | None = None
) -> list[Decision]:
    """:func:`decide` for each of many comparisons of one modality, equal to the last bit and several times as fast.

    What scores mean is looked up for all at once, and what does not depend on the score is judged once for
    each number of references.

    Args:
        comparisons: any number, each to be decided on its own.
        calibration: the calibration of their modality.
        target_fmr: as for :func:`decide`.
        today: as for :func:`decide`.
    """
    of_modality = {Modality(calibration.modality): calibration}
    alike = [
        comparison.modality.value == calibration.modality
        and math.isfinite(comparison.score)
        and (calibration.contract_id, calibration.similarity) == (comparison.contract_id, comparison.similarity)
        for comparison in comparisons
    ]
    plain = [comparison for comparison, fits in zip(comparisons, alike, strict=True) if fits]
    found = iter(_interpret_each(plain, calibration, target_fmr))
    refusals: dict[int, Reason | None] = {}
    ending = _ending([calibration], target_fmr)
    decisions = []
    for comparison, fits in zip(comparisons, alike, strict=True):
        if not fits:
            decisions.append(decide([comparison], of_modality, target_fmr, today=today))
            continue
        one = next(found)
        if one.references not in refusals:
            refusals[one.references] = _first_doubt((one,), of_modality, target_fmr, today or date.today())
        refusal = refusals[one.references]
        if refusal is None:
            decisions.append(_decide_one(one, target_fmr, ending))
        else:
            decisions.append(Decision(False, refusal, target_fmr, comparisons=(one,)))
    return decisions


def _interpret_each(
    comparisons: Sequence[Comparison], calibration: Calibration, target_fmr: float
) -> Iterator[Comparison]:
    threshold = calibration.threshold_at(target_fmr)
    limit = threshold if math.isfinite(threshold) else None
    llrs, rates = calibration.meanings([comparison.score for comparison in comparisons])
    for one, llr, rate in zip(comparisons, llrs, rates, strict=True):
        yield replace(
            one,
            llr=llr,
            predicted_fmr=rate,
            threshold=limit,
            calibration=calibration.name,
            extrapolated=calibration.rests_on_tail(rate.value),
        )


def _interpret(comparison: Comparison, calibrations: Mapping[Modality, Calibration], target_fmr: float) -> Comparison:
    """The comparison with the meaning its calibration gives it, where there is one and it fits."""
    calibration = calibrations.get(comparison.modality)
    if (
        calibration is None
        or not math.isfinite(comparison.score)
        or (calibration.contract_id, calibration.similarity) != (comparison.contract_id, comparison.similarity)
    ):
        return comparison
    threshold = calibration.threshold_at(target_fmr)
    return replace(
        comparison,
        llr=calibration.llr(comparison.score),
        predicted_fmr=calibration.predicted_fmr(comparison.score),
        threshold=threshold if math.isfinite(threshold) else None,
        calibration=calibration.name,
        extrapolated=calibration.extrapolates(comparison.score),
    )


def _first_doubt(
    comparisons: tuple[Comparison, ...],
    calibrations: Mapping[Modality, Calibration],
    target_fmr: float,
    today: date,
) -> Reason | None:
    """The first reason why no decision can rest on these comparisons; None when there is none."""
    if not 0 < target_fmr < 1:
        return Reason(
            ReasonCode.SETTINGS_INVALID,
            f"A target false-match rate of {target_fmr} is not between 0 and 1.",
            "Set a rate such as 0.001.",
        )
    if not comparisons:
        return Reason(ReasonCode.NOT_ENROLLED, "There was nothing to compare.", "Enrol the person first.")
    modalities = {comparison.modality for comparison in comparisons}
    if len(modalities) < len(comparisons):
        return Reason(ReasonCode.INTERNAL, "Two comparisons of one modality cannot be fused.")
    for comparison in comparisons:
        doubt = _doubt(comparison, calibrations.get(comparison.modality), target_fmr, today)
        if doubt is not None:
            return doubt
    return None


def _doubt(comparison: Comparison, calibration: Calibration | None, target_fmr: float, today: date) -> Reason | None:
    """Why no decision can rest on this comparison; None when one can."""
    modality = comparison.modality.value
    if not math.isfinite(comparison.score):
        return Reason(ReasonCode.INTERNAL, f"The {modality} comparison gave no usable number.", "Try another sample.")
    if calibration is None:
        return Reason(
            ReasonCode.NO_CALIBRATION, f"There is no calibration for {modality}.", "Calibrate, or install the models."
        )
    try:
        calibration.check_valid(comparison.contract_id, comparison.similarity, today)
    except StateError as error:
        return error.reason
    if calibration.modality != modality:
        return Reason(
            ReasonCode.CALIBRATION_INVALID,
            f"The calibration {calibration.name!r} is for {calibration.modality}, not for {modality}.",
            "Choose a calibration of the right modality.",
        )
    if comparison.references < calibration.references:
        return Reason(
            ReasonCode.CALIBRATION_INVALID,
            f"The calibration {calibration.name!r} holds for {calibration.references} references, "
            f"but there are {comparison.references}.",
            "Enrol more samples, or choose a calibration for fewer references.",
        )
    if not _may_claim(calibration, target_fmr):
        return Reason(
            ReasonCode.TARGET_UNSUPPORTED,
            f"The calibration {calibration.name!r} has too few non-mated comparisons to claim a false-match "
            f"rate of {one_in(target_fmr)}.",
            f"Calibrate with more people, or ask for no less than {one_in(calibration.supported_fmr)}.",
        )
    return None


def _may_claim(calibration: Calibration, target_fmr: float) -> bool:
    accepted = calibration.saved_anyway and target_fmr >= calibration.target_fmr * (1 - 1e-9)
    return calibration.supports(target_fmr) or accepted


def _decide_one(comparison: Comparison, target_fmr: float, ending: str) -> Decision:
    threshold = comparison.threshold if comparison.threshold is not None else math.inf
    verified = comparison.score >= threshold
    relation = "reaches" if verified else "does not reach"
    limit = "any threshold" if math.isinf(threshold) else f"the threshold {threshold:.3f}"
    message = f"The {comparison.modality.value} score {comparison.score:.3f} {relation} {limit} {ending}"
    return Decision(
        verified,
        _reason(verified, message, (comparison,)),
        target_fmr,
        comparison.llr,
        comparison.predicted_fmr,
        (comparison,),
    )


def _ending(calibrations: Sequence[Calibration], target_fmr: float) -> str:
    return f"for a false-match rate of {one_in(target_fmr)}{_caveat(calibrations, target_fmr)}."


def _decide_two(
    comparisons: tuple[Comparison, ...], calibrations: tuple[Calibration, Calibration], target_fmr: float
) -> Decision:
    first, second = (quality_weight(comparison.quality) for comparison in comparisons)
    llr = fused_llr([comparison.llr or 0.0 for comparison in comparisons], [first, second])
    predicted: Interval = fused_fmr(llr, calibrations[0], calibrations[1], (first, second))
    verified = predicted.high <= target_fmr
    relation = "is within" if verified else "is above"
    message = (
        f"Face and voice together predict a false-match rate of {one_in(predicted.value)}, "
        f"and of {one_in(predicted.high)} at the most, which {relation} the {one_in(target_fmr)} allowed"
        f"{_caveat(calibrations, target_fmr)}."
    )
    return Decision(verified, _reason(verified, message, comparisons), target_fmr, llr, predicted, comparisons)


_BETTER = {Modality.FACE: "in better light", Modality.VOICE: "with clearer speech"}


def _reason(verified: bool, message: str, comparisons: Sequence[Comparison]) -> Reason:
    if verified:
        return Reason(ReasonCode.VERIFIED, message)
    better = " or ".join(_BETTER[comparison.modality] for comparison in comparisons)
    advice = f"If this is the right person, try a sample {better}, or enrol more samples."
    return Reason(ReasonCode.SCORE_BELOW_THRESHOLD, message, advice)


def _caveat(calibrations: Sequence[Calibration], target_fmr: float) -> str:
    names = [repr(calibration.name) for calibration in calibrations if not calibration.supports(target_fmr)]
    if not names:
        return ""
    return f"; the calibration {' and '.join(names)} was saved although its data cannot show that rate"


def one_in(rate: float) -> str:
    """A rate as people say it: ``0.001`` is ``"1 in 1 000"``; from one half on, as a plain number.

    Rates under one in a million are not told apart: no data of a desktop application show them.
    """
    if 0 < rate < RAREST:
        return f"less than 1 in {1 / RAREST:,.0f}".replace(",", " ")
    if not 0 < rate < 0.5:
        return f"{rate:.2g}"
    return f"1 in {_round(1 / rate):,}".replace(",", " ")


def _round(number: float) -> int:
    """Two significant digits from 100 on, whole numbers below."""
    digits = max(0, math.floor(math.log10(number)) - 1) if number >= 100 else 0
    return int(round(number, -digits))
