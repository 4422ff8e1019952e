"""Embedding files with what batch jobs kept: only files that are not in their cache are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from verify_app.reasons import UnusableInput
from verify_app.services.application import Application
from verify_app.services.embed import BATCH, EmbedOptions, FileEmbedding, embed_files
from verify_app.services.jobs import CancelledCheck, ProgressCallback, never_cancelled, no_progress, stop_if


def embed_cached(
    app: Application,
    files: Sequence[str | Path],
    options: EmbedOptions,
    *,
    root: Path | None = None,
    progress: ProgressCallback = no_progress,
    cancelled: CancelledCheck = never_cancelled,
) -> Iterator[FileEmbedding]:
    """Embed files as :func:`verify_app.services.embed.embed_files` does, those in the cache first, and keep the others.

    A file is known by its content, so it may have been moved; the encoder and the options have to be the same.

    Raises:
        StateError: the enrolment database, whose key seals the cache, or the cache cannot be opened.
        Cancelled: between two files, when asked to stop.
    """
    from verify_app.services.batch.cache import CachedEmbedding
    from verify_app.services.batch.run import open_cache
    from verify_app.services.batch.spec import JobKind, JobSpec

    spec = JobSpec.of(
        JobKind.PAIRS, options.modality, [], faces=options.faces, gates=options.gates, aligned=options.aligned
    )
    cache = open_cache(app, spec)
    try:
        missing: dict[str, str | None] = {}
        hits = 0
        for file in files:
            stop_if(cancelled)
            digest = _digest(Path(file) if root is None else root / file)
            known = None if digest is None else cache.get(digest)
            if isinstance(known, CachedEmbedding):
                hits += 1
                progress(hits, len(files), str(file))
                yield FileEmbedding(str(file), known.vector, known.quality)
            else:
                missing[str(file)] = digest
        fresh: list[tuple[str, CachedEmbedding]] = []

        def go_on(done: int, total: int, message: str = "") -> None:
            progress(hits + done, hits + total, message)

        found = embed_files(app, list(missing), options, root=root, progress=go_on, cancelled=cancelled)
        for one in found if missing else ():
            digest = missing[one.file]
            if one.vector is not None and digest is not None:
                fresh.append((digest, CachedEmbedding(one.vector, one.quality)))
            if len(fresh) == BATCH:
                cache.put(fresh)
                fresh.clear()
            yield one
        cache.put(fresh)
    finally:
        cache.close()


def _digest(path: Path) -> str | None:
    """Digest of the content; None for what cannot be read, which embedding will explain."""
    from verify_app.services.batch.embed import digest_of

    try:
        return digest_of(path)
    except (OSError, UnusableInput):
        return None
