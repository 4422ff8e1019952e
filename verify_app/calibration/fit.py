"""Fitting a calibration: scores with the truth in, a tabulated :class:`Calibration` out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np

from verify_app.calibration.methods import METHODS, LlrMap
from verify_app.calibration.model import Calibration
from verify_app.calibration.tabulate import Dependence, cells_for, points_for, tabulate, threshold_for
from verify_app.calibration.tail import fit_tail
from verify_app.evaluation import dependence
from verify_app.evaluation.bootstrap import Replicates, replicate, thresholds_for
from verify_app.evaluation.intervals import needed_for, percentile_interval, rate_interval
from verify_app.evaluation.likelihood import cllr, min_cllr
from verify_app.evaluation.rates import ErrorRates
from verify_app.evaluation.report import still_needed, widest
from verify_app.evaluation.trials import Scores, TrialScores, subject_codes
from verify_app.reasons import ReasonCode, UnusableInput, UsageError

FOLDS = 5
LARGEST_SCORE = 1e100
MOST_FOR_CHOICE = 200_000
"""The choice between methods looks at no more trials than this, drawn at random."""


def fit(
    scores: TrialScores,
    *,
    method: str = "auto",
    target_fmr: float = 1e-3,
    name: str = "calibration",
    modality: str = "face",
    contract_id: str = "any",
    similarity: str = "cosine",
    references: int = 1,
    origin: str = "own",
    device_class: str = "file",
    created: date | None = None,
    expires: date | None = None,
    anyway: bool = False,
    history: Sequence[str] = (),
    seed: int = 0,
) -> Calibration:
    """Fit a calibration to scored trials.

    Args:
        scores: trials of both classes; with subjects, intervals and the choice of the method respect them.
        method: ``"logistic"``, ``"isotonic"``, ``"tail"``, or ``"auto"`` for the one with the least
            cross-validated Cllr.
        target_fmr: false-match rate of the operating point, above 0 and below 1.
        anyway: mark the calibration as wanted even though its target cannot be shown; without effect when
            it can. Fitting itself never refuses: callers look at ``supports``.
        seed: seed of every random draw; the same trials and seed give the same calibration.

    Raises:
        UsageError: USAGE for an unknown method or a target outside 0..1.
        UnusableInput: TRIALS_ONE_CLASS, TRIALS_TOO_FEW (fewer than two subjects) or TABLE_INVALID (all
            scores equal).
    """
    if method != "auto" and method not in METHODS:
        raise UsageError(
            ReasonCode.USAGE, f"There is no method called {method!r}.", f"Choose auto, {', '.join(METHODS)}."
        )
    if not 0 < target_fmr < 1:
        raise UsageError(ReasonCode.USAGE, f"A false-match rate of {target_fmr} is not between 0 and 1.")
    subjects = _check(scores)
    rates = ErrorRates.of(scores)
    costs = _cross_validated(scores, list(METHODS) if method == "auto" else [method], seed)
    chosen = min(costs, key=lambda key: costs[key])
    llr_map = _bounded(METHODS[chosen](rates), rates)
    tail = fit_tail(rates.non_mated)
    threshold = threshold_for(rates, tail, target_fmr)
    effect = Dependence.of(scores)
    points, levels = points_for(rates, tail, threshold), thresholds_for(rates)
    everywhere = np.unique(np.concatenate([points, levels, cells_for(rates, tail)]))
    drawn = replicate(scores, everywhere, seed=seed)
    curve = tabulate(rates, tail, llr_map, effect, drawn, points, (threshold, target_fmr))
    supported_fmr = effect.supported()
    supported = target_fmr * (1 + 1e-9) >= supported_fmr
    figures = _figures(scores, rates, llr_map, effect, drawn.at(levels), (threshold, target_fmr))
    figures |= {"supported": supported, "cross_validated_cllr": costs}
    return Calibration(
        name=name,
        modality=modality,
        contract_id=contract_id,
        similarity=similarity,
        references=references,
        origin=origin,
        device_class=device_class,
        method=chosen,
        created=created or date.today(),
        expires=expires,
        mated=scores.mated_count,
        non_mated=scores.non_mated_count,
        subjects=subjects,
        data_digest=digest(scores),
        target_fmr=target_fmr,
        threshold=threshold,
        supported_fmr=supported_fmr,
        saved_anyway=anyway and not supported,
        curve=curve,
        figures=figures,
        history=tuple(history),
    )


def digest(trials: TrialScores) -> str:
    """SHA-256 of scores, labels and subjects: equal digests mean the same trials in the same order."""
    state = hashlib.sha256()
    state.update(trials.scores.astype("<f8").tobytes())
    state.update(trials.mated.tobytes())
    for column in (trials.reference_subject, trials.probe_subject):
        if column is not None and np.issubdtype(column.dtype, np.integer):
            state.update(column.astype("<i8").tobytes())
        elif column is not None:
            state.update("\n".join(map(str, column.tolist())).encode())
    return state.hexdigest()


def _check(trials: TrialScores) -> int | None:
    """Refuse trials that cannot be calibrated; otherwise the number of subjects, None when unknown."""
    trials.require_both_classes()
    if trials.scores.min() == trials.scores.max():
        raise UnusableInput(
            ReasonCode.TABLE_INVALID,
            f"All {len(trials)} scores are {trials.scores[0]:g}: they cannot tell subjects apart.",
            "Check how the scores were made.",
        )
    if np.abs(trials.scores).max() > LARGEST_SCORE:
        row = int(np.argmax(np.abs(trials.scores))) + 1
        raise UnusableInput(
            ReasonCode.TABLE_INVALID,
            f"The score of trial {row} is {trials.scores[row - 1]:g}, too large to compute with.",
            "Check how the scores were made.",
        )
    codes = subject_codes(trials)
    if codes is not None and codes.count < 2:
        raise UnusableInput(
            ReasonCode.TRIALS_TOO_FEW, "There are fewer than two subjects.", "Add samples of further people."
        )
    return None if codes is None else codes.count


def _bounded(llr_map: LlrMap, rates: ErrorRates) -> LlrMap:
    """The map kept within what so many trials can show: one error among all of them, at the most."""
    low, high = -np.log(rates.mated.size + 1.0), np.log(rates.non_mated.size + 1.0)
    return lambda scores: np.clip(llr_map(scores), low, high)


def _cross_validated(trials: TrialScores, methods: list[str], seed: int) -> dict[str, float]:
    """Cllr of each method on trials it was not fitted on; whole subjects are held out where there are enough."""
    rng = np.random.default_rng(seed)
    if len(trials) > MOST_FOR_CHOICE:
        trials = _thinned(trials, rng)
    codes = subject_codes(trials)
    if codes is not None and codes.count >= 2 * FOLDS:
        part = rng.permutation(codes.count) % FOLDS
        first, second = part[codes.reference], part[codes.probe]
    else:
        first = np.empty(len(trials), dtype=np.int64)
        for kind in (True, False):
            rows = np.flatnonzero(trials.mated == kind)
            first[rows] = rng.permutation(rows.size) % FOLDS
        second = first
    held: dict[str, tuple[list[Scores], list[Scores]]] = {method: ([], []) for method in methods}
    for fold in range(FOLDS):
        test, train = (first == fold) & (second == fold), (first != fold) & (second != fold)
        if not all((rows & trials.mated).any() and (rows & ~trials.mated).any() for rows in (test, train)):
            continue
        rates, left = ErrorRates.of(trials.select(train)), ErrorRates.of(trials.select(test))
        for method in methods:
            llr_map = _bounded(METHODS[method](rates), rates)
            held[method][0].append(llr_map(left.mated))
            held[method][1].append(llr_map(left.non_mated))
    if not held[methods[0]][0]:  # too few trials to hold any out: prefer the map with the fewest parameters
        rates = ErrorRates.of(trials)
        llr_map = _bounded(METHODS[methods[0]](rates), rates)
        return {methods[0]: cllr(llr_map(rates.mated), llr_map(rates.non_mated))}
    return {method: cllr(np.concatenate(mated), np.concatenate(others)) for method, (mated, others) in held.items()}


def _thinned(trials: TrialScores, rng: np.random.Generator) -> TrialScores:
    """At most :data:`MOST_FOR_CHOICE` trials, half of each class where there are enough."""
    half = MOST_FOR_CHOICE // 2
    rows = [np.flatnonzero(trials.mated == kind) for kind in (True, False)]
    kept = [rng.choice(r, size=half, replace=False) if r.size > half else r for r in rows]
    return trials.select(np.sort(np.concatenate(kept)))


def _figures(
    trials: TrialScores,
    rates: ErrorRates,
    llr_map: LlrMap,
    effect: Dependence,
    drawn: Replicates,
    operating_point: tuple[float, float],
) -> dict[str, Any]:
    """Error rates at the threshold and costs of the likelihood ratios, with intervals, ready for JSON."""
    threshold, target_fmr = operating_point
    mated = dependence.mated(trials)
    fmr, fnmr = float(rates.fmr(threshold)), float(rates.fnmr(threshold))
    effective = float(effect.effective(np.array([target_fmr]))[0])
    at_threshold = mated.at(threshold)
    eer = percentile_interval(rates.eer(), drawn.eer())
    if eer.value * min(rates.mated.size, rates.non_mated.size) < 5:
        eer = widest(eer, rate_interval(eer.value, min(effective, at_threshold)))
    return {
        "eer": eer.as_dict(),
        "auc": percentile_interval(rates.auc(), drawn.auc()).as_dict(),
        "fmr": rate_interval(fmr, effective).as_dict(),
        "fnmr": rate_interval(fnmr, at_threshold).as_dict(),
        "cllr": cllr(llr_map(rates.mated), llr_map(rates.non_mated)),
        "min_cllr": min_cllr(rates),
        "effective_non_mated": effective,
        "needed_non_mated": still_needed(target_fmr, rates.non_mated.size, effective),
        "needed_independent": needed_for(target_fmr),
    }
