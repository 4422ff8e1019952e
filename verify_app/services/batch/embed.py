"""From files to cached embeddings, on every core, resumable.

Each worker reads and analyses files until some faces have gathered, then encodes them together, with one
encoder thread of its own. Doing one thing many times before the next keeps its code and data in the nearest
memory, which matters as much as the work itself. Embeddings do not depend on who is encoded together
(:class:`~verify_app.face.pipeline.FacePipeline` sees to that), so that an interrupted job ends byte-identical
to an uninterrupted one; OpenCV and ONNX Runtime let go of the interpreter lock, so the workers keep every core
busy.
"""

from __future__ import annotations

import hashlib
import os
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from verify_app.domain import Embedding, Modality
from verify_app.native import one_thread_opencv
from verify_app.reasons import Cancelled, Reason, ReasonCode, UnusableInput, VerifyAppError
from verify_app.services.batch import place
from verify_app.services.batch.cache import CachedEmbedding, EmbeddingCache, Made, part_key
from verify_app.services.batch.encode import Analysis, steps_of_file
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
GATHERED = 32
"""So many faces are gathered before they are encoded together …"""
GATHER_SECONDS = 0.1
"""… and none of them waits for others during more work than this …"""
WAIT_SECONDS = 1.0
"""… or longer than this altogether, as where files come from a slow disk."""

PipelineFactory = Callable[[], "FacePipeline | VoicePipeline"]


@dataclass(frozen=True, slots=True, eq=False)
class FileResult:
    """What a worker made of one file: one thing for each face, nothing when the whole file is unusable."""

    outcome: Outcome
    made: tuple[Made, ...] = ()


FileSteps = Generator[list[Analysis], list[Embedding], FileResult]
"""The work on one file of the job; it stops where it needs embeddings."""


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
        progress(done, total, "")
        finished: list[FileResult] = []
        last_commit = time.monotonic()
        try:
            for result in self._results(self.workers or os.cpu_count() or 1, cancelled):
                if result is not None:
                    finished.append(result)
                    done += 1
                progress(done, total, self._within if result is None else result.outcome.item.name)
                if time.monotonic() - last_commit > COMMIT_SECONDS:
                    self._commit(finished)
                    last_commit = time.monotonic()
        finally:
            self._commit(finished)
            with self._cache_lock:
                self._over = True

    def _results(self, workers: int, cancelled: CancelledCheck) -> Iterator[FileResult | None]:
        """Results as they come, None while a long file is read; a few files per worker wait, so memory stays flat."""
        tasks: queue.SimpleQueue[Outcome | None] = queue.SimpleQueue()
        results: queue.SimpleQueue[list[FileResult] | BaseException] = queue.SimpleQueue()
        outcomes = self.journal.outcomes(open_only=True)
        pool = ThreadPoolExecutor(workers, thread_name_prefix="batch")
        under_way, exhausted = 0, False
        try:
            with one_thread_opencv() if self.spec.modality is Modality.FACE else nullcontext():
                for _ in range(workers):
                    pool.submit(self._work, tasks, results)
                while True:
                    while not exhausted and under_way < 2 * GATHERED * workers:
                        outcome = next(outcomes, None)
                        exhausted = outcome is None
                        if outcome is not None:
                            tasks.put(outcome)
                            under_way += 1
                    if not under_way:
                        return
                    stop_if(cancelled)
                    ready = _next(results)
                    under_way -= len(ready)
                    yield from ready
                    if not ready and self._within:
                        yield None
        finally:
            self._over = True
            for _ in range(workers):
                tasks.put(None)
            # Who cancels does not wait for a long recording that is just being read: it will be read again.
            pool.shutdown(wait=False, cancel_futures=True)

    def _work(
        self,
        tasks: queue.SimpleQueue[Outcome | None],
        results: queue.SimpleQueue[list[FileResult] | BaseException],
    ) -> None:
        """What a worker does until it is told that the job is over: read files, encode what has gathered."""
        try:
            pipeline = self.make_pipeline()
            gathered = _Gathered(pipeline)
            while (outcome := tasks.get()) is not None and not self._over:
                gathered.add(self._steps(pipeline, outcome.number, outcome.item))
                if gathered.full or tasks.empty():
                    results.put(gathered.finish())
        except BaseException as error:  # noqa: BLE001 - told to whoever waits for results, who raises it
            results.put(error)

    def _commit(self, finished: list[FileResult]) -> None:
        """Embeddings first: an outcome in the journal promises that its embedding is in the cache."""
        if not finished:
            return
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

    def _steps(self, pipeline: FacePipeline | VoicePipeline, number: int, item: Item) -> FileSteps:
        try:
            with readable(item, self.scratch) as path:
                try:
                    return (yield from self._made(pipeline, number, item, path))
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

    def _made(self, pipeline: FacePipeline | VoicePipeline, number: int, item: Item, path: Path) -> FileSteps:
        from verify_app.capture.content import identify

        content = identify(path)  # what is no image and no recording is not worth hashing, whatever its size
        sha256 = digest_of(path)
        parts = self._known(sha256)
        if parts is None:
            try:
                parts = yield from steps_of_file(pipeline, self.spec, path, content, self.links, self._inside(item))
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
            first, text = self.cache.beginning(sha256)
            if first is None:
                return None
            places = place.from_json(text)
            others = [self.cache.get(part_key(sha256, part)) for part in range(2, len(places) + 1)]
            made = tuple(one for one in (first, *others) if one is not None)
            return Parts(made, places) if len(made) == max(1, len(places)) else None


class _Gathered:
    """Files that are read, some of them waiting for the embeddings of what they show."""

    def __init__(self, pipeline: FacePipeline | VoicePipeline) -> None:
        self._pipeline = pipeline
        self._results: list[FileResult] = []
        self._waiting: list[tuple[FileSteps, list[Analysis]]] = []
        self._faces = 0
        self._work_since, self._since = time.thread_time(), time.monotonic()

    @property
    def full(self) -> bool:
        """Whether it is time to encode."""
        return (
            self._faces >= GATHERED
            or time.thread_time() - self._work_since > GATHER_SECONDS
            or time.monotonic() - self._since > WAIT_SECONDS
        )

    def add(self, steps: FileSteps) -> None:
        """Read a file as far as its embeddings are not needed."""
        if not self._results and not self._waiting:
            self._work_since, self._since = time.thread_time(), time.monotonic()
        self._advance(steps, None)

    def finish(self) -> list[FileResult]:
        """Encode, and give the results of every file that was added."""
        while self._waiting:
            waiting, self._waiting, self._faces = self._waiting, [], 0
            embeddings = iter(self._pipeline.embed([one for _, wanted in waiting for one in wanted]))
            for steps, wanted in waiting:
                self._advance(steps, [next(embeddings) for _ in wanted])
        results, self._results = self._results, []
        return results

    def _advance(self, steps: FileSteps, embeddings: list[Embedding] | None) -> None:
        try:
            wanted = next(steps) if embeddings is None else steps.send(embeddings)
        except StopIteration as end:
            self._results.append(end.value)
        else:
            self._waiting.append((steps, wanted))
            self._faces += len(wanted)


def _next(results: queue.SimpleQueue[list[FileResult] | BaseException]) -> list[FileResult]:
    """What a worker has finished; nothing when none has for a moment."""
    try:
        ready = results.get(timeout=LOOK_SECONDS)
    except queue.Empty:
        return []
    if isinstance(ready, BaseException):
        raise ready
    return ready


def _named(reason: Reason, path: Path, item: Item) -> Reason:
    """The reason with the file named as the job names it, wherever it was unpacked to."""
    return Reason(reason.code, reason.message.replace(str(path), item.name), reason.advice)


def digest_of(path: Path) -> str:
    """SHA-256 of a file's content, hexadecimal, read in blocks."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
