"""What a batch job found, in one value: counts, the operating point, and how far to trust it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verify_app.services.batch.results import UNDECODABLE, written_whole
from verify_app.services.batch.rows import Row, RowDecision
from verify_app.services.batch.spec import JobKind, JobSpec

if TYPE_CHECKING:
    from verify_app.services.batch.score import Scorer

SUMMARY_NAME = "summary.json"

_ACCEPTED = frozenset({RowDecision.VERIFIED, RowDecision.MATCHED, RowDecision.GROUPED})


@dataclass
class Tally:
    """Counts rows as they are written."""

    decisions: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    groups: set[int] = field(default_factory=set)

    def add(self, row: Row) -> None:
        """Count one row."""
        self.decisions[row.decision.value] += 1
        if row.reason:
            self.reasons[row.reason] += 1
        if row.group:
            self.groups.add(row.group)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(self.decisions.values())


def comparisons_made(spec: JobSpec, usable: int, usable_second: int, gallery: int) -> int:
    """How many comparisons the job rests on."""
    return {
        JobKind.VERIFY: usable,
        JobKind.PAIRS: usable,
        JobKind.IDENTIFY: usable * gallery,
        JobKind.CROSS: usable * usable_second,
        JobKind.DUPLICATES: usable * (usable - 1) // 2,
        JobKind.GROUP: usable * (usable - 1) // 2,
    }[spec.kind]


def multiplicity_warning(comparisons: int, target_fmr: float) -> str:
    """One sentence on how many false matches to expect if every comparison were non-mated; empty below one in ten."""
    expected = comparisons * target_fmr
    if expected < 0.1:
        return ""
    return (
        f"{comparisons:,} comparisons at a false-match rate of {target_fmr:g}: if none were mated, about "
        f"{expected:.3g} would match by chance. Look at the matches, or ask for a smaller --target-fmr."
    )


def build_summary(spec: JobSpec, tally: Tally, scorer: Scorer, comparisons: int, command: str) -> dict[str, Any]:
    """The summary, ready for JSON. It holds no time of day, so that equal jobs give equal files."""
    calibration, target_fmr = scorer.calibration, scorer.target_fmr
    grouping = spec.kind is JobKind.GROUP
    return {
        "kind": spec.kind.value,
        "modality": spec.modality.value,
        "sources": list(spec.sources),
        "command": command,
        "rows": tally.rows,
        "decisions": dict(sorted(tally.decisions.items())),
        "reasons": dict(sorted(tally.reasons.items())),
        "groups": len(tally.groups) if grouping else None,
        "method": scorer.method.value if grouping else None,
        "purity": scorer.purity if grouping else None,
        "target_fmr": target_fmr,
        "comparisons": comparisons,
        "warning": multiplicity_warning(comparisons, target_fmr),
        "calibration": {
            "name": calibration.name,
            "origin": str(calibration.origin),
            "created": str(calibration.created),
            "expires": None if calibration.expires is None else str(calibration.expires),
            "contract": calibration.contract_id,
            "similarity": calibration.similarity,
        },
        "exit_code": exit_code(spec.kind, tally),
    }


def exit_code(kind: JobKind, tally: Tally) -> int:
    """0 when every file was accepted, 3 when some could not be used, 1 when some were not accepted.

    Files passed over because they show several faces, as the policy ``skip`` wants it, do not count. Finding
    duplicates and grouping accept nobody: they end with 0 or 3.
    """
    if tally.decisions[RowDecision.UNUSABLE.value]:
        return 3
    if kind in (JobKind.DUPLICATES, JobKind.GROUP):
        return 0
    accepted = sum(tally.decisions[decision.value] for decision in _ACCEPTED)
    return 0 if accepted + tally.decisions[RowDecision.SKIPPED.value] == tally.rows else 1


def write_summary(folder: Path, summary: dict[str, Any]) -> Path:
    """Write ``summary.json``; gives its path."""
    path = folder / SUMMARY_NAME
    with written_whole(path) as temporary:
        text = json.dumps(summary, indent=2, ensure_ascii=False) + "\n"
        temporary.write_text(text, encoding="utf-8", errors=UNDECODABLE)
    return path
