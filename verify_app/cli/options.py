"""Arguments and options that several commands share, and how a decision is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from verify_app.cli import words
from verify_app.domain import Comparison, Decision, Interval, Modality
from verify_app.reasons import ReasonCode, UsageError
from verify_app.services.rates import threshold_text

if TYPE_CHECKING:
    from verify_app.services.samples import SampleOutcome

Files = Annotated[list[str], typer.Argument(metavar="FILE", help="Images, recordings or videos.", show_default=False)]


ModalityName = Annotated[
    str | None,
    typer.Option("--modality", metavar="face|voice", help="What the files show; default what the first one holds."),
]
FacesPolicy = Annotated[
    str,
    typer.Option(metavar="POLICY", help="Several faces in an image: one (refuse), largest or largest-centred."),
]
POLICIES = ("one", "largest", "largest-centred", "skip")


def decision_dict(decision: Decision, samples: Sequence[SampleOutcome]) -> dict[str, Any]:
    """A decision, ready for JSON."""
    return {
        "decision": "verified" if decision.verified else "not_verified",
        "reason": decision.reason.as_dict(),
        "target_fmr": decision.target_fmr,
        "llr": decision.llr,
        "predicted_fmr": interval_dict(decision.predicted_fmr),
        "comparisons": [comparison_dict(comparison) for comparison in decision.comparisons],
        "samples": [sample.as_dict() for sample in samples],
    }


def comparison_dict(comparison: Comparison) -> dict[str, Any]:
    """One comparison, ready for JSON."""
    return {
        "modality": comparison.modality.value,
        "score": comparison.score,
        "threshold": comparison.threshold,
        "llr": comparison.llr,
        "predicted_fmr": interval_dict(comparison.predicted_fmr),
        "extrapolated": comparison.extrapolated,
        "references": comparison.references,
        "similarity": comparison.similarity,
        "calibration": comparison.calibration,
        "quality": comparison.quality,
        "contract": comparison.contract_id,
    }


def interval_dict(interval: Interval | None) -> dict[str, float] | None:
    """An interval, ready for JSON."""
    return interval.as_dict() if interval is not None else None


def decision_text(decision: Decision, samples: Sequence[SampleOutcome]) -> str:
    """A decision for people: the answer first, then why, then the figures."""
    answer = "VERIFIED" if decision.verified else "NOT VERIFIED"
    lines = [f"{words.strong(answer, decision.verified)}  {decision.reason.message}"]
    if decision.reason.advice:
        lines.append(f"  {decision.reason.advice}")
    rows = [
        (
            comparison.modality.value,
            f"{comparison.score:.3f}",
            threshold_text(comparison.threshold),
            words.rate_interval(comparison.predicted_fmr),
            words.count(comparison.references, "reference"),
        )
        for comparison in decision.comparisons
    ]
    if rows:
        lines.append(words.table(rows, ("", "score", "threshold", "predicted false-match rate", "")))
    if len(rows) > 1:
        lines.append(f"  together: predicted false-match rate {words.rate_interval(decision.predicted_fmr)}")
    lines.append(f"  operating point: false-match rate {words.rate(decision.target_fmr)}")
    return "\n".join(lines + left_out(samples))


def left_out(samples: Sequence[SampleOutcome]) -> list[str]:
    """One line for each sample that could not be used."""
    return [
        f"  not used: {sample.source}: {sample.reason.message} [{sample.reason.code.value}]"
        for sample in samples
        if sample.reason is not None
    ]


def chosen_modality(name: str | None) -> Modality | None:
    """The modality of that name, None for no name; a usage error for any other."""
    if name is None:
        return None
    if name not in set(Modality):
        raise UsageError(ReasonCode.USAGE, f"--modality is face or voice, not “{name}”.")
    return Modality(name)


def chosen_policy(name: str) -> str:
    """The policy for several faces when there is one of that name, else a usage error."""
    if name not in POLICIES:
        raise UsageError(ReasonCode.USAGE, f"--faces is {', '.join(POLICIES)}, not “{name}”.")
    return name
