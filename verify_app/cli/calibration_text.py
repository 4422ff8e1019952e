"""What ``verify-app calibrate`` says of a calibration, for people and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verify_app.cli import words
from verify_app.domain import Interval

if TYPE_CHECKING:
    from verify_app.calibration.model import Calibration
    from verify_app.services.calibrate import Calibrated
    from verify_app.services.calibration_library import Listed
    from verify_app.services.trial_sets import TrialSet

WORST = 3
"""How many of the worst pairs are shown."""


def fitted_to(calibration: Calibration) -> dict[str, int] | None:
    """What is told of the parameters of a fitted similarity."""
    found = calibration.parameters
    return None if found is None else {"subjects": found["subjects"], "embeddings": found["embeddings"]}


def kept_dict(kept: Listed) -> dict[str, Any]:
    """A kept calibration in a list, for programs."""
    from verify_app.services.calibrate import public_id

    calibration = kept.calibration
    return {
        "id": public_id(kept),
        "name": calibration.name,
        "modality": calibration.modality,
        "origin": calibration.origin,
        "references": calibration.references,
        "active": kept.active,
        "problem": kept.problem or None,
        "target_fmr": calibration.target_fmr,
        "supported": calibration.supports(calibration.target_fmr),
        "saved_anyway": calibration.saved_anyway,
        "created": calibration.created.isoformat(),
        "expires": calibration.expires.isoformat() if calibration.expires else None,
    }


def payload(result: Calibrated, source: TrialSet) -> dict[str, Any]:
    """A new calibration, whether it was saved or not, for programs."""
    from verify_app.services.calibrate import worst_pairs

    calibration, figures = result.calibration, result.calibration.figures
    told: dict[str, Any] = {
        "trials": {"mated": calibration.mated, "non_mated": calibration.non_mated},
        "subjects": calibration.subjects,
        "effective_non_mated": figures["effective_non_mated"],
        "method": calibration.method,
        "cross_validated_cllr": figures["cross_validated_cllr"],
        "target_fmr": calibration.target_fmr,
        "threshold": calibration.as_dict()["threshold"],
        **{name: figures[name] for name in ("fmr", "fnmr", "eer", "auc", "cllr", "min_cllr")},
        "supported": figures["supported"],
        "supported_fmr": calibration.supported_fmr,
        "modality": calibration.modality,
        "contract": calibration.contract_id,
        "similarity": calibration.similarity,
        "fitted": fitted_to(calibration),
        "name": calibration.name,
        "saved": list(result.saved),
        "saved_anyway": calibration.saved_anyway,
        "active": result.active,
        "more": [
            {
                "name": one.name,
                "references": one.references,
                "threshold": one.as_dict()["threshold"],
                "fnmr": one.figures["fnmr"],
            }
            for one in result.more
        ],
        "refused": {name: reason.as_dict() for name, reason in source.failures},
        "worst": worst_pairs(source, WORST),
        "history": list(calibration.history),
        "reason": result.refusal.as_dict() if result.refusal else None,
    }
    if not figures["supported"]:
        told["needed_non_mated"] = figures["needed_non_mated"]
    return told


def text(result: Calibrated, source: TrialSet, points: str) -> str:
    """The same for people; ``points`` is the table of operating points."""
    from verify_app.services.calibrate import worst_pairs

    lines = [*about(result.calibration), points]
    lines += [f"  left out: {name}: {reason.message}" for name, reason in source.failures]
    worst = worst_pairs(source, WORST)
    if worst:
        lines.append("  look at these pairs first, a wrong label would show here:")
        kinds = {True: "same person, low", False: "two people, high"}
        lines += [f"    {kinds[one['mated']]} {one['score']:.3f}: {' and '.join(one['samples'])}" for one in worst]
    lines.append(_outcome(result))
    return "\n".join(lines)


def _outcome(result: Calibrated) -> str:
    calibration, refusal = result.calibration, result.refusal
    if refusal is not None:
        return f"Not saved: {refusal.message}\n  {refusal.advice} --save-anyway saves it, marked."
    marked = ", marked as not shown by its data" if calibration.saved_anyway else ""
    used = "decisions rest on it from now on" if result.active else "not in use"
    return f"Saved as “{calibration.name}”{marked}; {used}."


def about(calibration: Calibration) -> list[str]:
    """What a calibration rests on and what it promises, line by line."""
    figures = calibration.figures
    subjects = "" if calibration.subjects is None else f" of {words.count(calibration.subjects, 'person', 'people')}"
    threshold = "no score reaches it" if calibration.threshold == float("inf") else f"{calibration.threshold:.4f}"
    expires = f", holds until {calibration.expires}" if calibration.expires else ""
    rows = [
        ("EER", words.percent_interval(_interval(figures["eer"]))),
        (f"threshold for FMR {words.rate(calibration.target_fmr)}", threshold),
        ("FMR at it", words.rate_interval(_interval(figures["fmr"]))),
        ("FNMR at it", words.percent_interval(_interval(figures["fnmr"]))),
        ("Cllr", f"{figures['cllr']:.4f} (at best {figures['min_cllr']:.4f})"),
        ("method", calibration.method),
        ("claims down to FMR", words.rate(calibration.supported_fmr)),
    ]
    fitted = calibration.parameters
    notes = [] if fitted is None else [f"  fitted to {fitted['subjects']} people at a time, calibrated on the others"]
    return [
        f"{words.grouped(calibration.mated)} mated and {words.grouped(calibration.non_mated)} non-mated comparisons"
        f"{subjects}, worth {words.grouped(figures['effective_non_mated'])} independent non-mated ones; "
        f"{calibration.modality}, {calibration.similarity}, {calibration.references} reference(s){expires}",
        *notes,
        words.table(rows),
    ]


def _interval(record: dict[str, float]) -> Interval:
    return Interval(record["value"], record["low"], record["high"], record.get("confidence", 0.95))
