"""A look before the run: how many files, which cannot be used and why, and how long the job will take."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from verify_app.reasons import UnusableInput
from verify_app.services.application import Application
from verify_app.services.batch.embed import readable
from verify_app.services.batch.inventory import Item
from verify_app.services.batch.run import list_job_items, worker_pipeline
from verify_app.services.batch.spec import JobSpec

if TYPE_CHECKING:
    from verify_app.face.pipeline import FacePipeline
    from verify_app.voice.pipeline import VoicePipeline

SAMPLED = 32
"""Files that are read for the estimate, spread evenly over the job."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a look found.

    Attributes:
        files: number of files.
        kinds: how many of each kind, by content.
        claimed: files with a claimed subject.
        sampled: files that were read to the end.
        reasons: reason codes among those, and how often.
        seconds: estimated time of the whole job with one worker per core, None when nothing was read.
    """

    files: int
    kinds: dict[str, int]
    claimed: int
    sampled: int
    reasons: dict[str, int] = field(default_factory=dict)
    seconds: float | None = None

    def as_dict(self) -> dict[str, object]:
        """Ready for JSON."""
        return {
            "files": self.files,
            "kinds": self.kinds,
            "claimed": self.claimed,
            "sampled": self.sampled,
            "reasons": self.reasons,
            "estimated_seconds": None if self.seconds is None else round(self.seconds, 1),
        }

    def text(self) -> str:
        """A few lines for people."""
        kinds = ", ".join(f"{count} {kind}" for kind, count in self.kinds.items())
        lines = [f"{self.files} files ({kinds}); {self.claimed} with a claim."]
        if self.sampled:
            unusable = sum(self.reasons.values())
            lines.append(f"Of {self.sampled} files read, {unusable} cannot be used: {self.reasons or 'none'}.")
        if self.seconds is not None:
            lines.append(f"Estimated time: {self.seconds:.0f} s.")
        return "\n".join(lines)


def look(app: Application, spec: JobSpec) -> Look:
    """List the files, sniff every one, and read a few to the end."""
    items = list(list_job_items(spec))
    kinds = Counter(_kind(item) for item in items)
    step = max(1, len(items) // SAMPLED)
    chosen = items[::step][:SAMPLED]
    pipeline = worker_pipeline(app, spec.modality)
    reasons: Counter[str] = Counter()
    started = time.perf_counter()
    for item in chosen:
        if reason := _refusal(pipeline, spec, item):
            reasons[reason] += 1
    import os

    elapsed = time.perf_counter() - started
    seconds = elapsed / len(chosen) * len(items) / (os.cpu_count() or 1) if chosen else None
    return Look(
        len(items),
        dict(sorted(kinds.items())),
        sum(bool(item.claim) for item in items),
        len(chosen),
        dict(reasons),
        seconds,
    )


def _kind(item: Item) -> str:
    from verify_app.capture.files import sniff

    if item.member:
        return "archived"
    try:
        return str(sniff(item.path))
    except UnusableInput as error:
        return error.reason.code.value


def _refusal(pipeline: FacePipeline | VoicePipeline, spec: JobSpec, item: Item) -> str:
    from verify_app.services.batch.embed import embed_file

    try:
        with readable(item) as path:
            embed_file(pipeline, spec, path)
    except UnusableInput as error:
        return error.reason.code.value
    except OSError:
        return "file_unreadable"
    return ""
