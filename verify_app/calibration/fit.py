"""Fitting a calibration: scores with the truth in, a tabulated :class:`Calibration` out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np

from verify_app.calibration.methods import METHODS, LlrMap, survival
from verify_app.calibration.model import Calibration, Curve
from verify_app.calibration.tail import Tail, excess_survival, fit_excess, fit_tail
from verify_app.evaluation import dependence
from verify_app.evaluation.bootstrap import Replicates, replicate, thresholds_for
from verify_app.evaluation.intervals import clopper_pearson, needed_for, percentile_interval, rate_interval
from verify_app.evaluation.likelihood import cllr, min_cllr
from verify_app.evaluation.rates import ErrorRates
from verify_app.evaluation.report import still_needed, widest
from verify_app.evaluation.trials import Scores, TrialScores, subject_codes
from verify_app.reasons import ReasonCode, UnusableInput, UsageError

FOLDS = 5
MOST_FOR_CHOICE = 200_000
"""The choice between methods looks at no more trials than this, drawn at random."""
DEPENDENCE_LEVELS = (0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5, 3e-6, 1e-6)


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
    threshold = _threshold(rates, tail, target_fmr)
    effect = _dependence(scores)
    curve = _tabulate(scores, rates, tail, llr_map, effect, threshold, target_fmr, seed)
    supported_fmr = _supported(effect, rates.non_mated.size)
    supported = target_fmr * (1 + 1e-9) >= supported_fmr
    figures = _figures(scores, rates, llr_map, threshold, target_fmr, effect, seed)
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
        if column is not None:
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


def _threshold(rates: ErrorRates, tail: Tail | None, fmr: float) -> float:
    """Smallest score whose predicted false-match rate (:func:`survival`) is at most ``fmr``; infinity when none."""
    n = rates.non_mated.size
    if fmr * n < 0.1:
        return float("inf")
    counted = rates.threshold_at_fmr(fmr)
    if survival(rates.non_mated, tail, np.array([counted]))[0] <= fmr and tail is None:
        return counted
    low = float(min(rates.non_mated[0], rates.mated[0]))
    high = max(float(rates.non_mated[-1]), float(rates.mated[-1]))
    high += high - low
    if survival(rates.non_mated, tail, np.array([high]))[0] > fmr:
        return float("inf")
    while np.nextafter(low, high) < high:  # the predicted rate never rises with the score: halve the range
        middle = low + (high - low) / 2
        if middle in (low, high):
            break
        if survival(rates.non_mated, tail, np.array([middle]))[0] <= fmr:
            high = middle
        else:
            low = middle
    return high


def _dependence(trials: TrialScores) -> tuple[Scores, Scores]:
    """Rates of non-mated acceptance (falling), and how many trials one independent trial takes at each."""
    counter = dependence.non_mated(trials)
    n = trials.non_mated_count
    levels = [level for level in DEPENDENCE_LEVELS if level * n >= 10] or [min(0.5, 10 / n)]
    return np.array(levels), np.array([n / counter.at_rate(level) for level in levels])


def _effective(effect: tuple[Scores, Scores], n: int, rates: Scores) -> Scores:
    """Effective number of non-mated trials at each false-match rate, interpolated on logarithmic axes."""
    levels, trials_each = effect
    order = np.argsort(levels)
    each = np.exp(np.interp(np.log(rates), np.log(levels[order]), np.log(trials_each[order])))
    return np.maximum(n / each, 1.0)


def _supported(effect: tuple[Scores, Scores], n: int) -> float:
    """Smallest false-match rate that ``n`` trials of this dependence can show at 95 % (rule of 3)."""
    rates = np.logspace(0, np.log10(0.5 / n), 400)
    enough = rates * _effective(effect, n, rates) >= 3.0
    if not enough[0]:
        return 1.0
    last = enough.size - 1 if enough.all() else int(np.argmin(enough)) - 1
    return float(min(1.0, 3.0 / _effective(effect, n, rates[last : last + 1])[0]))


def _tabulate(
    trials: TrialScores,
    rates: ErrorRates,
    tail: Tail | None,
    llr_map: LlrMap,
    effect: tuple[Scores, Scores],
    threshold: float,
    target_fmr: float,
    seed: int,
) -> Curve:
    """Tabulate the meaning of scores over the whole range that was seen, and half of it beyond."""
    points = _points(rates, tail, threshold)
    fmr = np.minimum.accumulate(survival(rates.non_mated, tail, points))
    low, high = _bounds(trials, rates, tail, points, fmr, effect, seed)
    llr = np.maximum.accumulate(llr_map(points))
    if np.isfinite(threshold):
        at = int(np.searchsorted(points, threshold))
        fmr[at] = min(fmr[at], target_fmr)
        fmr = np.minimum.accumulate(fmr)
    return Curve(points, llr, fmr, np.minimum(low, fmr), np.maximum(high, fmr))


def _points(rates: ErrorRates, tail: Tail | None, threshold: float) -> Scores:
    """Scores to tabulate: evenly spread, at quantiles of both classes, and densely in the non-mated tail."""
    n = rates.non_mated.size
    low = min(rates.mated[0], rates.non_mated[0])
    high = max(rates.mated[-1], rates.non_mated[-1])
    span = high - low
    levels = np.logspace(0, np.log10(max(10 / n, 1e-7)), 80) if n > 20 else np.linspace(1, 1 / n, n)
    places = np.clip(n - np.round(levels * n).astype(np.int64), 0, n - 1)
    parts = [
        np.linspace(low - span / 4, high + span / 4, 65),
        rates.non_mated[places],
        np.quantile(rates.mated, np.linspace(0, 1, 33)),
    ]
    if tail is not None:
        parts.append(np.linspace(tail.start, high, 49))
    steps = np.concatenate(parts)
    rounded = np.unique(np.round(steps / span, 6) * span)
    if np.isfinite(threshold):
        keep = np.abs(rounded - threshold) > 1e-6 * span
        rounded = np.unique(np.append(rounded[keep], threshold))
    return rounded


def _bounds(
    trials: TrialScores,
    rates: ErrorRates,
    tail: Tail | None,
    points: Scores,
    fmr: Scores,
    effect: tuple[Scores, Scores],
    seed: int,
) -> tuple[Scores, Scores]:
    """95 % bounds of the predicted rate: subject-level bootstrap, widened by the exact interval of the count.

    The bootstrap repeats the fit of the tail; the exact (Clopper-Pearson) interval on the effective number
    of comparisons speaks where a bootstrap is blind, above the highest non-mated score.
    """
    n = rates.non_mated.size
    drawn = replicate(trials, points, seed=seed)
    curves = drawn.fmr if tail is None else _tails(trials, rates, tail, points, drawn, seed)
    usable = curves[np.isfinite(curves).all(axis=1)]
    low, high = np.quantile(usable, [0.025, 0.975], axis=0) if len(usable) else (fmr, fmr)
    effective = _effective(effect, n, fmr)
    counted = rates.fmr(points)
    exact = [clopper_pearson(rate * size, size) for rate, size in zip(counted, effective, strict=True)]
    low = np.minimum(low, fmr)
    many = counted * n >= 1
    low = np.where(many, np.minimum(low, [bound.low for bound in exact]), low)
    high = np.maximum.reduce([high, fmr, np.array([bound.high for bound in exact])])
    floor = 1e-3 / n
    low = np.minimum.accumulate(np.clip(low, floor, 1.0))
    high = np.maximum.accumulate(np.clip(high, floor, 1.0)[::-1])[::-1]
    return low, high


def _tails(trials: TrialScores, rates: ErrorRates, tail: Tail, points: Scores, drawn: Replicates, seed: int) -> Scores:
    """The replicates' curves with their own fitted tails above the start of the tail."""
    inside = points > tail.start
    cells = np.unique(np.concatenate([[tail.start], rates.non_mated[rates.non_mated > tail.start]]))
    cells = np.append(cells, np.nextafter(cells[-1], np.inf))
    if cells.size > 1200:
        cells = cells[np.unique(np.linspace(0, cells.size - 1, 1200).astype(np.int64))]
    fine = replicate(trials, cells, seed=seed).fmr  # the same seed draws the same subjects
    weights = np.maximum(fine[:, :-1] - fine[:, 1:], 0.0)
    excess = cells[:-1] - tail.start
    scale, shape = fit_excess(excess[1:], weights[:, 1:])
    share = weights[:, 1:].sum(axis=1)
    fitted = share[:, None] * excess_survival(points[inside][None, :] - tail.start, scale[:, None], shape[:, None])
    curves = drawn.fmr.copy()
    curves[:, inside] = fitted
    return curves


def _figures(
    trials: TrialScores,
    rates: ErrorRates,
    llr_map: LlrMap,
    threshold: float,
    target_fmr: float,
    effect: tuple[Scores, Scores],
    seed: int,
) -> dict[str, Any]:
    """Error rates at the threshold and costs of the likelihood ratios, with intervals, ready for JSON."""
    drawn = replicate(trials, thresholds_for(rates), seed=seed)
    mated = dependence.mated(trials)
    fmr, fnmr = float(rates.fmr(threshold)), float(rates.fnmr(threshold))
    effective = float(_effective(effect, rates.non_mated.size, np.array([target_fmr]))[0])
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
