"""The command line that repeats a job, whatever started it."""

from __future__ import annotations

import shlex

from verify_app.domain import Modality
from verify_app.services.batch.choices import Method
from verify_app.services.batch.spec import JobKind, JobSpec


def command_line(
    spec: JobSpec, out: str, *, target_fmr: float | None = None, method: Method = Method.AGGLOMERATIVE, workers: int = 0
) -> str:
    """The command for a POSIX shell; only what differs from the defaults is named, apart from the modality."""
    words = ["verify-app", "batch", spec.kind.value]
    if spec.kind is JobKind.PAIRS:
        words += [spec.sources[0], "--root", spec.sources[1]]
    else:
        words += spec.sources
    words += ["--modality", spec.modality.value]
    if spec.claim and spec.kind in (JobKind.VERIFY, JobKind.GROUP):
        words += ["--claim", spec.claim]
    for pattern in spec.patterns:
        words += ["--pattern", pattern]
    if spec.modality is Modality.FACE:
        words += ["--faces", spec.faces] if spec.faces != "one" else []
        words += ["--aligned"] if spec.aligned else []
    words += ["--segments"] if spec.segments else []
    words += [] if spec.gates else ["--no-quality-gates"]
    if spec.kind is JobKind.GROUP and method is not Method.AGGLOMERATIVE:
        words += ["--method", method.value]
    if target_fmr is not None:
        words += ["--target-fmr", f"{target_fmr:g}"]
    words += ["--workers", str(workers)] if workers else []
    return shlex.join([*words, "--out", out])
