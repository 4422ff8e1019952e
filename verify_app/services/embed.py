"""Embed many files: read and analysed on every core, encoded in batches, one result per file."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from verify_app.domain import Contract, FloatArray, Modality
from verify_app.reasons import Reason, ReasonCode, UnusableInput, UsageError
from verify_app.services.application import Application
from verify_app.services.jobs import CancelledCheck, ProgressCallback, never_cancelled, no_progress, stop_if

if TYPE_CHECKING:
    from verify_app.face.pipeline import FaceAnalysis
    from verify_app.voice.pipeline import VoiceAnalysis

BATCH = 32


@dataclass(frozen=True, slots=True, eq=False)
class FileEmbedding:
    """One file's embedding, or why there is none.

    Attributes:
        file: the file as it was given.
        vector: float32 [d], of unit norm; None when the file failed.
        quality: quality score 0..1 of the sample.
        reason: why it failed.
    """

    file: str
    vector: FloatArray | None = None
    quality: float = 0.0
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class EmbedOptions:
    """How files are taken.

    Attributes:
        modality: face or voice; anything else in a file is a failure.
        faces: what to do with several faces in an image: ``one`` refuses, ``largest``, ``largest-centred``.
        aligned: the images are 112 × 112 crops on the alignment template already.
        gates: refuse samples of low quality.
    """

    modality: Modality
    faces: str = "one"
    aligned: bool = False
    gates: bool = True


def embed_files(
    app: Application,
    files: Sequence[str | Path],
    options: EmbedOptions,
    *,
    root: Path | None = None,
    progress: ProgressCallback = no_progress,
    cancelled: CancelledCheck = never_cancelled,
) -> Iterator[FileEmbedding]:
    """Embed files in order; memory stays bounded however many there are.

    A video counts as one file: the embeddings of its usable frames are combined.

    Args:
        app: the application.
        files: the files.
        options: how they are taken.
        root: folder that relative paths start from.
        progress: called as files are finished.
        cancelled: asked before each file.

    Raises:
        Cancelled: between two files, when asked to stop.
        StateError: MODEL_MISSING, MODEL_CORRUPT.
    """
    pipeline = app.pipeline(options.modality)
    workers = max(2, os.cpu_count() or 1)
    waiting: deque[tuple[str, Future[list[Any]]]] = deque()
    source = iter(files)
    done = 0
    with ThreadPoolExecutor(workers, thread_name_prefix="read") as pool:
        try:
            while True:
                while len(waiting) < 2 * BATCH and (file := next(source, None)) is not None:
                    path = Path(file) if root is None else root / file
                    waiting.append((str(file), pool.submit(_analyse, pipeline, path, options)))
                if not waiting:
                    return
                ready = [waiting.popleft() for _ in range(min(BATCH, len(waiting)))]
                analysed: list[tuple[str, list[Any] | Reason]] = []
                for file, future in ready:
                    stop_if(cancelled)
                    analysed.append((file, _outcome(future)))
                    done += 1
                    progress(done, len(files), file)
                yield from _encode(pipeline, analysed)
        finally:
            pool.shutdown(cancel_futures=True)


def write_npz(file: str | Path, results: Sequence[FileEmbedding], contract: Contract, modality: Modality) -> Path:
    """Write embeddings to an NPZ file: ``vectors`` float32 [n, d], ``files``, ``quality``, ``contract``, ``modality``.

    Files that failed are not in it. The file is biometric data and is not encrypted; only this account can read it.

    Raises:
        UsageError: the file cannot be written.
    """
    target = Path(file)
    kept = [result for result in results if result.vector is not None]
    vectors = np.stack([result.vector for result in kept if result.vector is not None])
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            np.savez(
                stream,
                vectors=vectors.astype(np.float32),
                files=np.array([result.file for result in kept]),
                quality=np.array([result.quality for result in kept], np.float32),
                contract=np.array(contract.id),
                modality=np.array(modality.value),
            )
    except OSError as error:
        raise UsageError(
            ReasonCode.USAGE, f"{target} cannot be written: {error.strerror}.", "Choose another file."
        ) from None
    return target


def modality_of(files: Sequence[str | Path], root: Path | None = None) -> Modality:
    """The modality of the first file that can be told: a recording is a voice, anything else shows a face.

    Raises:
        UnusableInput: the reason of the first file, when none can be told.
    """
    from verify_app.capture.files import sniff

    first: UnusableInput | None = None
    for file in files:
        try:
            kind = sniff(Path(file) if root is None else root / file)
        except UnusableInput as error:
            first = first or error
            continue
        return Modality.VOICE if kind == "audio" else Modality.FACE
    raise first or UnusableInput(ReasonCode.FILE_NOT_FOUND, "No file was given.", "Give at least one file.")


def _analyse(pipeline: Any, path: Path, options: EmbedOptions) -> list[FaceAnalysis | VoiceAnalysis]:
    """The usable faces or recordings of one file; raises the first refusal when there is none."""
    from verify_app.capture.files import load_samples

    arguments: dict[str, Any] = {"gates": options.gates}
    if options.modality is Modality.FACE:
        from verify_app.face.pipeline import FacePolicy

        arguments |= {"faces": FacePolicy(options.faces), "aligned": options.aligned}
    found, refusal = [], None
    for sample in load_samples(path, options.modality):
        try:
            found.append(pipeline.analyse(sample, **arguments))
        except UnusableInput as error:
            refusal = refusal or error
    if not found and refusal is not None:
        raise refusal
    return found


def _outcome(future: Future[list[Any]]) -> list[Any] | Reason:
    try:
        return future.result()
    except UnusableInput as error:
        return error.reason


def _encode(pipeline: Any, analysed: Sequence[tuple[str, list[Any] | Reason]]) -> Iterator[FileEmbedding]:
    """One batch through the encoder, back to one result per file."""
    from verify_app.matching.references import combine

    flat = [analysis for _, found in analysed if isinstance(found, list) for analysis in found]
    embeddings = iter(pipeline.embed(flat)) if flat else iter(())
    for file, found in analysed:
        if not isinstance(found, list):
            yield FileEmbedding(file, reason=found)
            continue
        own = [next(embeddings) for _ in found]
        vector = own[0].vector if len(own) == 1 else combine(np.stack([one.vector for one in own]))
        yield FileEmbedding(file, vector, float(np.mean([one.quality.score for one in own])))
