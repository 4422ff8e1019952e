"""A look before the run: how many files, which cannot be used and why, and how long the job will take."""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from verify_app.reasons import UnusableInput
from verify_app.services.application import Application
from verify_app.services.batch.encode import embed_file
from verify_app.services.batch.inventory import Item
from verify_app.services.batch.linking import linking
from verify_app.services.batch.run import list_job_items, worker_pipeline
from verify_app.services.batch.spec import JobSpec
from verify_app.services.batch.unpack import readable
from verify_app.services.jobs import CancelledCheck, ProgressCallback, never_cancelled, no_progress, stop_if
from verify_app.services.pace import duration

if TYPE_CHECKING:
    from verify_app.face.pipeline import FacePipeline
    from verify_app.matching.linking import Linking
    from verify_app.voice.pipeline import VoicePipeline

SAMPLED = 32
"""Files that are read for the estimate, spread evenly over the job."""
SAMPLED_SECONDS = 20.0
"""So much is read of each long video or recording among them; what it takes in the end is not foreseen."""


class _Enough(Exception):
    """Enough of a long file was read."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a look found.

    Attributes:
        files: number of files.
        kinds: how many of each kind, by content.
        claimed: files with a claimed subject.
        sampled: files that were read to the end, or for :data:`SAMPLED_SECONDS`.
        reasons: reason codes among those, and how often.
        seconds: estimated time of the whole job with one worker per core, None when nothing was read; too short
            where there are long videos or recordings.
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
            lines.append(f"Estimated time: {duration(self.seconds)}.")
        return "\n".join(lines)


def look(
    app: Application,
    spec: JobSpec,
    *,
    progress: ProgressCallback = no_progress,
    cancelled: CancelledCheck = never_cancelled,
) -> Look:
    """List the files, tell by its first bytes what each is, and read a few to the end.

    Raises:
        UsageError: a source does not exist or the claim rule makes no sense.
        Cancelled: the user stopped it.
    """
    items: list[Item] = []
    kinds: Counter[str] = Counter()
    claimed = 0
    for item in list_job_items(spec):
        stop_if(cancelled)
        items.append(item)
        kinds[_kind(item)] += 1
        claimed += bool(item.claim)
    step = max(1, len(items) // SAMPLED)
    chosen = items[::step][:SAMPLED]
    reasons: Counter[str] = Counter()
    pipeline = worker_pipeline(app, spec.modality)
    links = linking(app, spec)
    elapsed: list[float] = []
    with tempfile.TemporaryDirectory(prefix="verify-app-") as scratch:
        for number, item in enumerate(chosen):
            stop_if(cancelled)
            progress(number, len(chosen), item.name)
            began = time.perf_counter()
            if reason := _refusal(pipeline, spec, links, item, Path(scratch)):
                reasons[reason] += 1
            elapsed.append(time.perf_counter() - began)
    return Look(
        len(items), dict(sorted(kinds.items())), claimed, len(chosen), dict(reasons), _whole(elapsed, len(items))
    )


def _whole(elapsed: list[float], files: int) -> float | None:
    """Seconds for all files from those of a few; the first of several loads the models and tells nothing."""
    typical = elapsed[1:] or elapsed
    return sum(typical) / len(typical) * files / (os.cpu_count() or 1) if typical else None


def _kind(item: Item) -> str:
    from verify_app.capture.files import sniff

    if item.member:
        return "archived"
    try:
        return str(sniff(item.path))
    except UnusableInput as error:
        return error.reason.code.value


def _refusal(
    pipeline: FacePipeline | VoicePipeline, spec: JobSpec, links: Linking | None, item: Item, scratch: Path
) -> str:
    def check(seconds: float) -> None:
        if seconds > SAMPLED_SECONDS:
            raise _Enough

    try:
        with readable(item, scratch) as path:
            embed_file(pipeline, spec, path, links, check)
    except _Enough:
        return ""
    except UnusableInput as error:
        return error.reason.code.value
    except (OSError, ValueError):
        return "file_unreadable"
    return ""
