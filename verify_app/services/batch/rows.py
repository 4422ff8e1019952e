"""One row of a batch job's results, and the columns every export shares."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from enum import StrEnum

from verify_app.domain import Comparison, Decision
from verify_app.reasons import Reason
from verify_app.services.batch.place import Place


class RowDecision(StrEnum):
    """How a file came out."""

    VERIFIED = "verified"
    NOT_VERIFIED = "not_verified"
    MATCHED = "matched"
    UNKNOWN = "unknown"
    GROUPED = "grouped"
    SINGLE = "single"
    UNUSABLE = "unusable"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Row:
    """One result.

    Attributes:
        file: name of the probe file within the job.
        claim: claimed subject (verify), subject found (identify), or the file compared with.
        decision: a :class:`RowDecision`.
        score: comparison score, None where nothing was compared.
        predicted_fmr: share of non-mated comparisons expected to score at least this high.
        reason: reason code.
        predicted_fmr_low: lower end of its 95 % interval.
        predicted_fmr_high: upper end.
        llr: natural-log likelihood ratio.
        threshold: score from which the operating point accepts.
        quality: quality of the probe, 0..1.
        group: identity the file was grouped into, 0 for none (only in grouping jobs).
        start: when the face or the speech begins, in seconds; None where the row is about no stretch of a file.
        end: when it ends.
        message: the reason in one sentence, with advice.
    """

    file: str
    claim: str
    decision: RowDecision
    score: float | None = None
    predicted_fmr: float | None = None
    reason: str = ""
    predicted_fmr_low: float | None = None
    predicted_fmr_high: float | None = None
    llr: float | None = None
    threshold: float | None = None
    quality: float | None = None
    group: int | None = None
    start: float | None = None
    end: float | None = None
    message: str = ""

    def cells(self, columns: tuple[str, ...]) -> list[str]:
        """The row as text; numbers with six significant digits, absent ones empty."""
        return [_text(getattr(self, column)) for column in columns]


BASE_COLUMNS = tuple(field.name for field in fields(Row) if field.name != "group")
GROUP_COLUMNS = tuple(field.name for field in fields(Row))


def _text(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def sentence(reason: Reason) -> str:
    """A reason as one line of text."""
    return f"{reason.message} {reason.advice}".strip()


def unusable(file: str, claim: str, reason: Reason) -> Row:
    """The row of a file that gave no embedding."""
    return Row(file, claim, RowDecision.UNUSABLE, reason=reason.code.value, message=sentence(reason))


def skipped(file: str, claim: str, reason: Reason) -> Row:
    """The row of an image that is passed over because it shows several faces."""
    return replace(unusable(file, claim, reason), decision=RowDecision.SKIPPED)


def compared(
    file: str, claim: str, decision: RowDecision, comparison: Comparison, reason: Reason, group: int | None = None
) -> Row:
    """The row of one comparison."""
    predicted = comparison.predicted_fmr
    return Row(
        file=file,
        claim=claim,
        decision=decision,
        score=comparison.score,
        predicted_fmr=None if predicted is None else predicted.value,
        reason=reason.code.value,
        predicted_fmr_low=None if predicted is None else predicted.low,
        predicted_fmr_high=None if predicted is None else predicted.high,
        llr=comparison.llr,
        threshold=comparison.threshold,
        quality=comparison.quality,
        group=group,
        message=sentence(reason),
    )


def during(row: Row, place: Place | None) -> Row:
    """The row with the stretch of the file that it is about."""
    if place is None or place.start is None:
        return row
    return replace(row, start=place.start, end=place.end)


def decided(file: str, claim: str, decision: Decision, comparison: Comparison) -> Row:
    """The row of a verification."""
    answer = RowDecision.VERIFIED if decision.verified else RowDecision.NOT_VERIFIED
    return compared(file, claim, answer, comparison, decision.reason)
