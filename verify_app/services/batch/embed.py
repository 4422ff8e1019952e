"""From files to cached embeddings, on every core, resumable.

Each worker takes one file through decoding, detection, quality and encoding, with one encoder thread of
its own. Encoding one sample at a time makes every embedding independent of what else the job holds, so
that an interrupted job ends byte-identical to an uninterrupted one; OpenCV and ONNX Runtime let go of
the interpreter lock, so the workers keep every core busy.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from verify_app.reasons import Cancelled, Reason, ReasonCode, UnusableInput, VerifyAppError
from verify_app.services.batch import place
from verify_app.services.batch.cache import CachedEmbedding, EmbeddingCache, Made, part_key
from verify_app.services.batch.encode import embed_file
from verify_app.services.batch.inventory import Item
from verify_app.services.batch.journal import Journal, Outcome
from verify_app.services.batch.parts import Parts
from verify_app.services.batch.spec import JobSpec
from verify_app.services.batch.unpack import readable
from verify_app.services.jobs import CancelledCheck, ProgressCallback, stop_if

if TYPE_CHECKING:
    from verify_app.face.pipeline import FacePipeline
    from verify_app.matching.linking import Linking
    from verify_app.voice.pipeline import VoicePipeline

COMMIT_SECONDS = 1.0
"""At most this much work is done again after a kill."""
LOOK_SECONDS = 0.1
"""How often a job that waits for its workers asks whether it is to stop."""

PipelineFactory = Callable[[], "FacePipeline | VoicePipeline"]


@dataclass(frozen=True, slots=True, eq=False)
class FileResult:
    """What a worker made of one file: one thing for each face, nothing when the whole file is unusable."""

    outcome: Outcome
    made: tuple[Made, ...] = ()


@dataclass(slots=True)
class EmbeddingRun:
    """Reads every file of the journal that has no outcome yet.

    Attributes:
        spec: the job.
        journal: where outcomes are written.
        cache: where embeddings are kept.
        scratch: where members of archives are unpacked.
        make_pipeline: makes one pipeline per worker (detectors hold state and cannot be shared).
        workers: number of files in work at once; 0 for one per core.
        links: what holds the parts of one person together; None in jobs that take files whole.
    """

    spec: JobSpec
    journal: Journal
    cache: EmbeddingCache
    scratch: Path
    make_pipeline: PipelineFactory
    workers: int = 0
    links: Linking | None = None
    _local: threading.local = field(default_factory=threading.local)
    _cache_lock: threading.Lock = field(default_factory=threading.Lock)
    _over: bool = False
    _within: str = ""

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
        pool = ThreadPoolExecutor(workers, thread_name_prefix="batch")
        try:
            for result in self._results(pool, workers, cancelled):
                if result is not None:
                    finished.append(result)
                    done += 1
                progress(done, total, self._within if result is None else result.outcome.item.name)
                if time.monotonic() - last_commit > COMMIT_SECONDS:
                    self._commit(finished)
                    last_commit = time.monotonic()
        finally:
            # Who cancels does not wait for a long recording that is just being read: it will be read again.
            pool.shutdown(wait=False, cancel_futures=True)
            self._commit(finished)
            with self._cache_lock:
                self._over = True

    def _results(
        self, pool: ThreadPoolExecutor, workers: int, cancelled: CancelledCheck
    ) -> Iterator[FileResult | None]:
        """Results as they come, None while a long file is read; a few files per worker wait, so memory stays flat."""
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
            ready, waiting = wait(waiting, timeout=LOOK_SECONDS, return_when=FIRST_COMPLETED)
            for future in ready:
                yield future.result()
            if not ready and self._within:
                yield None

    def _commit(self, finished: list[FileResult]) -> None:
        """Embeddings first: an outcome in the journal promises that its embedding is in the cache."""
        if not finished:
            return
        with self._cache_lock:
            self.cache.put(
                (
                    (part_key(result.outcome.sha256, part), one)
                    for result in finished
                    if result.outcome.sha256 is not None
                    for part, one in enumerate(result.made, start=1)
                ),
                self._places(finished),
            )
        self.journal.record(result.outcome for result in finished)
        finished.clear()

    @staticmethod
    def _places(finished: list[FileResult]) -> Iterator[tuple[str, str]]:
        for result in finished:
            text = place.to_json(result.outcome.places)
            if result.outcome.sha256 is not None and text is not None:
                yield result.outcome.sha256, text

    def _process(self, number: int, item: Item) -> FileResult:
        try:
            with readable(item, self.scratch) as path:
                try:
                    return self._made(number, item, path)
                except UnusableInput as error:
                    return FileResult(Outcome(number, item, None, _named(error.reason, path, item)))
        except UnusableInput as error:
            return FileResult(Outcome(number, item, None, error.reason))
        except VerifyAppError:
            raise
        except (OSError, ValueError) as error:
            reason = Reason(
                ReasonCode.FILE_NOT_FOUND if isinstance(error, FileNotFoundError) else ReasonCode.FILE_UNREADABLE,
                f"{item.name} cannot be read: {getattr(error, 'strerror', None) or error}.",
                "Check that it still exists and may be read.",
            )
            return FileResult(Outcome(number, item, None, reason))

    def _made(self, number: int, item: Item, path: Path) -> FileResult:
        from verify_app.capture.files import sniff

        sniff(path)  # what is no image and no recording is not worth hashing, whatever its size
        sha256 = digest_of(path)
        try:
            parts = self._known(sha256) or embed_file(self._pipeline(), self.spec, path, self.links, self._inside(item))
        finally:
            self._within = ""
        made = tuple(_named(one, path, item) if isinstance(one, Reason) else one for one in parts.made)
        embedded = sum(isinstance(one, CachedEmbedding) for one in made)
        return FileResult(Outcome(number, item, sha256, None, len(made), embedded, parts.places), made)

    def _inside(self, item: Item) -> Callable[[float], None]:
        """Takes how far into a long file the reading is, in seconds; stops it when the job was stopped."""

        def check(seconds: float) -> None:
            if self._over:
                raise Cancelled
            self._within = f"{item.name} ({place.clock(seconds)})"

        return check

    def _known(self, sha256: str) -> Parts | None:
        """What the cache holds of a file; None when it holds nothing, or not every part."""
        with self._cache_lock:
            if self._over:
                raise Cancelled
            first = self.cache.get(sha256)
            if first is None:
                return None
            places = place.from_json(self.cache.places(sha256))
            others = [self.cache.get(part_key(sha256, part)) for part in range(2, len(places) + 1)]
            made = tuple(one for one in (first, *others) if one is not None)
            return Parts(made, places) if len(made) == max(1, len(places)) else None

    def _pipeline(self) -> FacePipeline | VoicePipeline:
        if not hasattr(self._local, "pipeline"):
            self._local.pipeline = self.make_pipeline()
        pipeline: FacePipeline | VoicePipeline = self._local.pipeline
        return pipeline


def _named(reason: Reason, path: Path, item: Item) -> Reason:
    """The reason with the file named as the job names it, wherever it was unpacked to."""
    return Reason(reason.code, reason.message.replace(str(path), item.name), reason.advice)


def digest_of(path: Path) -> str:
    """SHA-256 of a file's content, hexadecimal, read in blocks."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
