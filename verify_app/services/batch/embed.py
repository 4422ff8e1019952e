"""From files to cached embeddings, on every core, resumable.

Each worker takes one file through decoding, detection, quality and encoding, with one encoder thread of
its own. Encoding one sample at a time makes every embedding independent of what else the job holds, so
that an interrupted job ends byte-identical to an uninterrupted one; OpenCV and ONNX Runtime let go of
the interpreter lock, so the workers keep every core busy.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from verify_app.domain import FloatArray, Modality, Sample
from verify_app.reasons import Reason, ReasonCode, UnusableInput, VerifyAppError
from verify_app.services.batch.cache import CachedEmbedding, EmbeddingCache
from verify_app.services.batch.inventory import Item
from verify_app.services.batch.journal import Journal, Outcome
from verify_app.services.batch.spec import JobSpec
from verify_app.services.jobs import CancelledCheck, ProgressCallback, stop_if

if TYPE_CHECKING:
    from verify_app.face.pipeline import FacePipeline
    from verify_app.voice.pipeline import VoicePipeline

COMMIT_SECONDS = 1.0
"""At most this much work is done again after a kill."""

PipelineFactory = Callable[[], "FacePipeline | VoicePipeline"]


@dataclass(frozen=True, slots=True, eq=False)
class FileResult:
    """What a worker made of one file: the embedding, or the reason there is none."""

    outcome: Outcome
    embedding: CachedEmbedding | None = None


@dataclass(slots=True)
class EmbeddingRun:
    """Reads every file of the journal that has no outcome yet.

    Attributes:
        spec: the job.
        journal: where outcomes are written.
        cache: where embeddings are kept.
        make_pipeline: makes one pipeline per worker (detectors hold state and cannot be shared).
        workers: number of files in work at once; 0 for one per core.
    """

    spec: JobSpec
    journal: Journal
    cache: EmbeddingCache
    make_pipeline: PipelineFactory
    workers: int = 0
    _local: threading.local = field(default_factory=threading.local)
    _cache_lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, progress: ProgressCallback, cancelled: CancelledCheck) -> None:
        """Read the files; what is done stays done when this is cancelled or killed.

        Raises:
            Cancelled: the user stopped it.
            StateError: the disk is full, a model is corrupt …; nothing of what was done is lost.
        """
        total, done = self.journal.count(), self.journal.done()
        workers = self.workers or os.cpu_count() or 1
        progress(done, total, "")
        finished: list[FileResult] = []
        last_commit = time.monotonic()
        with ThreadPoolExecutor(workers, thread_name_prefix="batch") as pool:
            try:
                for result in self._results(pool, workers, cancelled):
                    finished.append(result)
                    done += 1
                    progress(done, total, result.outcome.item.name)
                    if time.monotonic() - last_commit > COMMIT_SECONDS:
                        self._commit(finished)
                        last_commit = time.monotonic()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)
                self._commit(finished)

    def _results(self, pool: ThreadPoolExecutor, workers: int, cancelled: CancelledCheck) -> Iterator[FileResult]:
        """Results as they come; never more than a few files per worker are waiting, so memory stays flat."""
        waiting: set[Future[FileResult]] = set()
        outcomes = self.journal.outcomes(open_only=True)
        exhausted = False
        while True:
            while not exhausted and len(waiting) < 4 * workers:
                outcome = next(outcomes, None)
                if outcome is None:
                    exhausted = True
                else:
                    waiting.add(pool.submit(self._process, outcome.number, outcome.item))
            if not waiting:
                return
            stop_if(cancelled)
            ready, waiting = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
            for future in ready:
                yield future.result()

    def _commit(self, finished: list[FileResult]) -> None:
        """Embeddings first: an outcome in the journal promises that its embedding is in the cache."""
        if not finished:
            return
        with self._cache_lock:
            self.cache.put(
                (result.outcome.sha256, result.embedding)
                for result in finished
                if result.embedding is not None and result.outcome.sha256 is not None
            )
        self.journal.record(result.outcome for result in finished)
        finished.clear()

    def _process(self, number: int, item: Item) -> FileResult:
        try:
            with readable(item) as path:
                sha256 = digest_of(path)
                try:
                    embedding = self._known(sha256) or embed_file(self._pipeline(), self.spec, path)
                except UnusableInput as error:
                    return FileResult(Outcome(number, item, None, _named(error.reason, path, item)))
            return FileResult(Outcome(number, item, sha256, None), embedding)
        except UnusableInput as error:
            return FileResult(Outcome(number, item, None, error.reason))
        except VerifyAppError:
            raise
        except OSError as error:
            reason = Reason(
                ReasonCode.FILE_NOT_FOUND if isinstance(error, FileNotFoundError) else ReasonCode.FILE_UNREADABLE,
                f"{item.name} cannot be read: {error.strerror or error}.",
                "Check that it still exists and may be read.",
            )
            return FileResult(Outcome(number, item, None, reason))

    def _known(self, sha256: str) -> CachedEmbedding | None:
        with self._cache_lock:
            return self.cache.get(sha256)

    def _pipeline(self) -> FacePipeline | VoicePipeline:
        if not hasattr(self._local, "pipeline"):
            self._local.pipeline = self.make_pipeline()
        pipeline: FacePipeline | VoicePipeline = self._local.pipeline
        return pipeline


def embed_file(pipeline: FacePipeline | VoicePipeline, spec: JobSpec, path: Path) -> CachedEmbedding:
    """One embedding of one file; the usable frames of a video are combined.

    Raises:
        UnusableInput: the first reason, when nothing in the file can be used.
    """
    from verify_app.capture.files import load_samples

    vectors, qualities, refusal = [], [], None
    for sample in load_samples(path, spec.modality):
        try:
            vector, quality = _encode(pipeline, spec, sample)
        except UnusableInput as error:
            refusal = refusal or error
        else:
            vectors.append(vector)
            qualities.append(quality)
    if not vectors:
        raise refusal or UnusableInput(ReasonCode.FILE_UNREADABLE, f"{path.name} holds nothing to compare.")
    return CachedEmbedding(_mean_direction(vectors), float(np.mean(qualities)))


def _encode(pipeline: FacePipeline | VoicePipeline, spec: JobSpec, sample: Sample) -> tuple[FloatArray, float]:
    if spec.modality is Modality.FACE:
        from verify_app.face.pipeline import FacePolicy

        options = {"faces": FacePolicy(spec.faces), "gates": spec.gates, "aligned": spec.aligned}
    else:
        options = {"gates": spec.gates}
    _, embedding = pipeline.encode(sample, **options)
    return embedding.vector, embedding.quality.score


def _named(reason: Reason, path: Path, item: Item) -> Reason:
    """The reason with the file named as the job names it, wherever it was unpacked to."""
    return Reason(reason.code, reason.message.replace(str(path), item.name), reason.advice)


def _mean_direction(vectors: list[FloatArray]) -> FloatArray:
    if len(vectors) == 1:
        return vectors[0]
    from verify_app.matching.references import combine

    return combine(np.stack(vectors))


def digest_of(path: Path) -> str:
    """SHA-256 of a file's content, hexadecimal, read in blocks."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


class readable:  # noqa: N801 - used as a statement: with readable(item) as path
    """The path of a file to read; a member of an archive is unpacked beside the system's temporary files."""

    def __init__(self, item: Item) -> None:
        self._item = item
        self._unpacked: Path | None = None

    def __enter__(self) -> Path:
        if not self._item.member:
            return Path(self._item.path)
        try:
            with zipfile.ZipFile(self._item.path) as archive, archive.open(self._item.member) as member:
                handle, name = tempfile.mkstemp(prefix="verify-app-", suffix=Path(self._item.member).suffix)
                self._unpacked = Path(name)
                with os.fdopen(handle, "wb") as target:
                    while block := member.read(1 << 20):
                        target.write(block)
        except (zipfile.BadZipFile, KeyError, RuntimeError, NotImplementedError, EOFError) as error:
            self.__exit__()
            raise UnusableInput(
                ReasonCode.FILE_UNREADABLE,
                f"{self._item.name} cannot be unpacked: {error}.",
                "Check the archive; encrypted archives must be unpacked first.",
            ) from None
        return self._unpacked

    def __exit__(self, *_: object) -> None:
        if self._unpacked is not None:
            self._unpacked.unlink(missing_ok=True)
