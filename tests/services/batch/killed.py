"""A batch job in a process of its own that is there to be killed."""

from __future__ import annotations

from pathlib import Path

from verify_app.domain import Modality
from verify_app.services.application import Application
from verify_app.services.batch import embed
from verify_app.services.batch.run import run_batch
from verify_app.services.batch.spec import JobKind, JobSpec
from verify_app.services.settings import load_settings


def run_job(home: Path, pictures: Path, out: Path) -> None:
    """Find duplicates; progress is kept every few files instead of every second, so that there is more to tear."""
    embed.COMMIT_SECONDS = 0.02
    spec = JobSpec.of(JobKind.DUPLICATES, Modality.FACE, [pictures], gates=False, aligned=True)
    with Application(load_settings(str(home)), warn=lambda text: None) as app:
        run_batch(app, spec, out, target_fmr=0.01)
