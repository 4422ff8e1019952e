"""A batch job from start to end: list the files, read what is not read yet, score, write the results."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verify_app.domain import Modality
from verify_app.reasons import ReasonCode, UsageError
from verify_app.services import calibrations
from verify_app.services.application import Application
from verify_app.services.batch.blocks import blocks
from verify_app.services.batch.cache import EmbeddingCache
from verify_app.services.batch.choices import Method
from verify_app.services.batch.claims import claim_rule
from verify_app.services.batch.embed import EmbeddingRun
from verify_app.services.batch.inventory import Item, list_items, read_pairs
from verify_app.services.batch.journal import Journal
from verify_app.services.batch.linking import linking
from verify_app.services.batch.report import write_report
from verify_app.services.batch.results import write_results
from verify_app.services.batch.rows import Row
from verify_app.services.batch.score import Scorer
from verify_app.services.batch.spec import JobKind, JobSpec
from verify_app.services.batch.summary import Tally, build_summary, comparisons_made, write_summary
from verify_app.services.batch.unpack import scratch_folder
from verify_app.services.jobs import CancelledCheck, ProgressCallback, never_cancelled, no_progress, stop_if
from verify_app.services.storage import store_errors

if TYPE_CHECKING:
    from verify_app.face.pipeline import FacePipeline
    from verify_app.voice.pipeline import VoicePipeline

SCORING = "scoring"
"""Message of progress once every file is read and rows are written: counting begins anew."""
CACHE_NAME = "embedding-cache.sqlite"
CACHE_KEY_PURPOSE = "batch embedding cache"


@dataclass(frozen=True, slots=True)
class BatchResult:
    """Where a finished job's results lie, and their summary."""

    folder: Path
    summary: dict[str, Any]


def run_batch(
    app: Application,
    spec: JobSpec,
    folder: Path,
    *,
    target_fmr: float | None = None,
    method: Method = Method.AGGLOMERATIVE,
    workers: int = 0,
    command: str = "",
    progress: ProgressCallback = no_progress,
    cancelled: CancelledCheck = never_cancelled,
) -> BatchResult:
    """Run a job, or go on with it where it stopped.

    Args:
        app: the application.
        spec: the job.
        folder: where the journal and the results go.
        target_fmr: false-match rate of the operating point; None for the one in the settings.
        method: how groups are found, in grouping jobs.
        workers: files in work at once, 0 for one per core.
        command: command line that repeats the job, written into the summary and the report.
        progress: told how many files are read, then with the message :data:`SCORING` how many are scored.
        cancelled: asked several times a second; a file that is just being read is not waited for.

    Raises:
        UsageError: a source does not exist or the claim rule makes no sense.
        StateError: no calibration, folder of another job, disk full …
        Cancelled: the user stopped it; the same call goes on.
    """
    target = app.settings.target_fmr if target_fmr is None else target_fmr
    # A job without a calibration can decide nothing: say so before hours of work, not after.
    calibrations.active(app, spec.modality)
    with Journal(folder, spec) as journal, scratch_folder(folder) as scratch:
        if not journal.listed:
            _list(journal, spec, cancelled)
        cache = open_cache(app, spec)
        try:
            journal.reopen(_forgotten(journal, cache, cancelled))
            links = linking(app, spec)
            reading = EmbeddingRun(
                spec, journal, cache, scratch, lambda: worker_pipeline(app, spec.modality), workers, links
            )
            reading.run(progress, cancelled)
            stop_if(cancelled)
            scorer = Scorer(app, spec, journal, cache, target, method, cancelled)
            summary = _write(app, scorer, folder, command, progress)
        finally:
            cache.close()
    return BatchResult(folder, summary)


def list_job_items(spec: JobSpec) -> Iterator[Item]:
    """The files of a job in their fixed order, each with the subject it is claimed to show."""
    sources = [Path(source) for source in spec.sources]
    if spec.kind is JobKind.PAIRS:
        table, root = sources
        for pair in read_pairs(table):
            yield Item(pair.reference, str(root / pair.reference))
            yield Item(pair.probe, str(root / pair.probe))
        return
    rule = claim_rule(spec.claim) if spec.claim or spec.kind is JobKind.VERIFY else None
    for side, source in enumerate(sources):
        for item in list_items(source, spec.patterns, side):
            yield replace(item, claim=rule(item.name)) if rule is not None else item


def open_cache(app: Application, spec: JobSpec) -> EmbeddingCache:
    """The cache of embeddings under the present encoder and the job's options."""
    with store_errors():
        key = app.store.derived_key(CACHE_KEY_PURPOSE)
    return EmbeddingCache(cache_path(app), key, app.contract(spec.modality).id, spec.analysis_digest)


def cache_path(app: Application) -> Path:
    """Where cached embeddings are kept."""
    return app.settings.data / CACHE_NAME


def worker_pipeline(app: Application, modality: Modality) -> FacePipeline | VoicePipeline:
    """A pipeline for one worker: one encoder thread, because the workers already use every core."""
    if modality is Modality.FACE:
        from verify_app.face.pipeline import FacePipeline

        return FacePipeline(app.manifest, threads=1)
    from verify_app.voice.pipeline import VoicePipeline

    return VoicePipeline(app.manifest, threads=1)


def _list(journal: Journal, spec: JobSpec, cancelled: CancelledCheck) -> None:
    def items() -> Iterator[Item]:
        for item in list_job_items(spec):
            stop_if(cancelled)
            yield item

    if not journal.list_items(items()):
        raise UsageError(
            ReasonCode.FILE_NOT_FOUND,
            f"{' and '.join(spec.sources)} hold no files to read.",
            "Check the path and the --pattern.",
        )


def _forgotten(journal: Journal, cache: EmbeddingCache, cancelled: CancelledCheck) -> list[int]:
    """Files that were read once, but whose embeddings were erased since, or made by another encoder."""
    found = []
    for block in blocks(outcome for outcome in journal.outcomes() if outcome.usable):
        stop_if(cancelled)
        held = cache.holds([str(outcome.sha256) for outcome in block])
        found += [outcome.number for outcome, known in zip(block, held, strict=True) if not known]
    return found


def _write(app: Application, scorer: Scorer, folder: Path, command: str, progress: ProgressCallback) -> dict[str, Any]:
    spec, tally = scorer.spec, Tally()
    total = scorer.journal.count()

    def seen(row: Row) -> None:
        tally.add(row)
        progress(min(tally.rows, total), total, SCORING)

    progress(0, total, SCORING)
    write_results(folder, scorer.rows(), grouped=spec.kind is JobKind.GROUP, seen=seen)
    usable = [0, 0]
    for outcome in scorer.journal.outcomes():
        stop_if(scorer.cancelled)
        usable[outcome.item.side] += outcome.embedded if outcome.usable else 0
    first = usable[0] // 2 if spec.kind is JobKind.PAIRS else usable[0]
    gallery = len(app.store.people()) if spec.kind is JobKind.IDENTIFY else 0
    comparisons = comparisons_made(spec, first, usable[1], gallery)
    summary = build_summary(spec, tally, scorer, comparisons, command)
    write_summary(folder, summary)
    write_report(app, folder, summary, scorer.journal.place_of)
    return summary
