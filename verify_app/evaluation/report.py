"""The figures of an evaluation, each with its interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from verify_app.domain import Interval
from verify_app.evaluation import dependence
from verify_app.evaluation.bootstrap import replicate, thresholds_for
from verify_app.evaluation.intervals import mean_interval, needed_for, percentile_interval, rate_interval
from verify_app.evaluation.rates import ErrorRates, fold_accuracies
from verify_app.evaluation.trials import TrialScores, subject_codes

OPERATING_POINTS = (1e-2, 1e-3, 1e-4)
FEW_ERRORS = 5
"""With fewer errors than this a bootstrap sees too little, and the exact binomial interval widens it."""


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """What the scores do at one target.

    Attributes:
        target_fmr: the false-match rate asked for.
        threshold: smallest threshold whose counted FMR is at most the target.
        fmr: counted FMR at that threshold.
        fnmr: counted FNMR at that threshold.
        supported: True when the comparisons are enough to show such an FMR at 95 % (rule of 3 on their
            effective number).
        needed_non_mated: further non-mated comparisons needed before it can be shown; 0 when supported.
    """

    target_fmr: float
    threshold: float
    fmr: Interval
    fnmr: Interval
    supported: bool
    needed_non_mated: int

    def as_dict(self) -> dict[str, Any]:
        """The figures, ready for JSON."""
        return {
            "target_fmr": self.target_fmr,
            "threshold": self.threshold,
            "fmr": self.fmr.as_dict(),
            "fnmr": self.fnmr.as_dict(),
            "supported": self.supported,
            "needed_non_mated": self.needed_non_mated,
        }


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of one set of trials.

    Attributes:
        mated: number of mated trials.
        non_mated: number of non-mated trials.
        subjects: number of subjects, None when the trials do not name them.
        effective_mated: independent comparisons the mated trials are worth at the EER.
        effective_non_mated: independent comparisons the non-mated trials are worth at the EER.
        eer: equal error rate, on the ROC convex hull.
        auc: area under the ROC curve.
        operating_points: one per target FMR, in falling order of the target.
        accuracy: mean accuracy over the folds, each at the threshold of the other folds; None without folds.
    """

    mated: int
    non_mated: int
    subjects: int | None
    effective_mated: float
    effective_non_mated: float
    eer: Interval
    auc: Interval
    operating_points: tuple[OperatingPoint, ...]
    accuracy: Interval | None

    def as_dict(self) -> dict[str, Any]:
        """The figures, ready for JSON; FNMR is keyed by its target FMR, for example ``"1e-03"``."""
        return {
            "trials": {"mated": self.mated, "non_mated": self.non_mated},
            "subjects": self.subjects,
            "effective": {"mated": round(self.effective_mated, 1), "non_mated": round(self.effective_non_mated, 1)},
            "eer": self.eer.as_dict(),
            "auc": self.auc.as_dict(),
            "fnmr_at_fmr": {f"{point.target_fmr:.0e}": point.as_dict() for point in self.operating_points},
            "accuracy": None if self.accuracy is None else self.accuracy.as_dict(),
        }


def summarise(trials: TrialScores, targets: tuple[float, ...] = OPERATING_POINTS, *, seed: int = 0) -> Summary:
    """Compute every figure of ``trials`` with its 95 % interval.

    Args:
        trials: trials of both classes. With subjects, intervals draw subjects; without, trials.
        targets: false-match rates of the operating points, each within 0..1.
        seed: seed of the bootstrap; the same seed gives the same intervals.

    Raises:
        UnusableInput: TRIALS_ONE_CLASS when a class is missing.
    """
    rates = ErrorRates.of(trials)
    replicates = replicate(trials, thresholds_for(rates), seed=seed)
    mated, non_mated = dependence.mated(trials), dependence.non_mated(trials)
    eer, level = rates.eer(), rates.eer_threshold()
    effective_mated, effective_non_mated = mated.at(level), non_mated.at(level)
    eer_interval = percentile_interval(eer, replicates.eer())
    if eer * min(trials.mated_count, trials.non_mated_count) < FEW_ERRORS:
        eer_interval = widest(eer_interval, rate_interval(eer, min(effective_mated, effective_non_mated)))
    codes = subject_codes(trials)
    accuracy = None
    if trials.fold is not None and len({str(fold) for fold in trials.fold.tolist()}) > 1:
        accuracy = mean_interval(fold_accuracies(trials, trials.fold))

    def point(target: float) -> OperatingPoint:
        threshold = rates.threshold_at_fmr(target)
        fmr, fnmr = float(rates.fmr(threshold)), float(rates.fnmr(threshold))
        effective = non_mated.at_rate(target)
        drawn = percentile_interval(fnmr, replicates.fnmr_at_fmr(target))
        return OperatingPoint(
            target,
            threshold,
            rate_interval(fmr, effective),
            widest(drawn, rate_interval(fnmr, mated.at(threshold))),
            effective >= needed_for(target),
            still_needed(target, trials.non_mated_count, effective),
        )

    return Summary(
        trials.mated_count,
        trials.non_mated_count,
        None if codes is None else codes.count,
        effective_mated,
        effective_non_mated,
        eer_interval,
        percentile_interval(rates.auc(), replicates.auc()),
        tuple(point(target) for target in sorted(targets, reverse=True)),
        accuracy,
    )


def still_needed(target_fmr: float, non_mated: int, effective: float) -> int:
    """Further non-mated comparisons, as dependent as these, before ``target_fmr`` can be shown at 95 %."""
    missing = needed_for(target_fmr) - effective
    return 0 if missing <= 0 else int(-(-missing * non_mated // effective))


def widest(first: Interval, second: Interval) -> Interval:
    """The first interval, stretched to cover the second."""
    return Interval(first.value, min(first.low, second.low), max(first.high, second.high), first.confidence)
