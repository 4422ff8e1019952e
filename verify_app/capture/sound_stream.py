"""Recordings of any length read from one end to the other, in blocks of one channel at 16 000 samples a second."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verify_app.capture.content import Content, open_error
from verify_app.capture.sound import RATE, check_rate, not_numbers_error, truncated_error, undecodable_error
from verify_app.capture.sound_header import is_truncated
from verify_app.domain import FloatArray, Modality, Sample
from verify_app.native import quiet_stderr
from verify_app.reasons import UnusableInput

BLOCK_SECONDS = 4.0


def read_waveform(path: str | Path, content: Content) -> Iterator[FloatArray]:
    """Blocks of a recording or of the sound track of a video, float32, within -1..1.

    Raises:
        UnusableInput: FILE_TRUNCATED once the blocks are given, when the file ends too early or is damaged; before
            the first block FILE_UNREADABLE, FORMAT_UNSUPPORTED, MODALITY_MISMATCH for what holds no sound.
    """
    blocks = _track(path, content.format) if content.kind == "container" else _file(path, content.format)
    rate = next(blocks)
    check_rate(path, rate)
    resampler = _resampler(rate)
    damage: UnusableInput | None = None
    try:
        for block in blocks:
            yield _bounded(resampler(_one_channel(path, block), False))
    except UnusableInput as error:
        damage = error
    yield _bounded(resampler(np.empty(0, np.float32), True))
    if damage is not None:
        raise damage


def load_stretch(path: str | Path, content: Content, start: float, end: float) -> Sample:
    """The part of a recording between two moments, in seconds, as a voice sample.

    Raises:
        UnusableInput: as :func:`read_waveform`; FILE_UNREADABLE also when it ends before ``start``.
    """
    parts: list[FloatArray] = []
    position, first, last = 0, int(start * RATE), int(end * RATE)
    for block in read_waveform(path, content):
        if position + len(block) > first:
            parts.append(block[max(first - position, 0) : last - position])
        position += len(block)
        if position >= last:
            break
    if not parts:
        raise truncated_error(path)
    return Sample(Modality.VOICE, np.concatenate(parts), str(path), "", details={"seconds": end - start})


def _file(path: str | Path, kind: str) -> Iterator[Any]:
    """The rate, then blocks (samples, channels)."""
    import soundfile

    try:
        with Path(path).open("rb") as opened:
            cut_off = is_truncated(opened, kind)
        with quiet_stderr():
            file = soundfile.SoundFile(os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0)))
    except soundfile.LibsndfileError:
        raise undecodable_error(path, kind) from None
    except (OSError, ValueError) as error:
        raise open_error(path, error) from None
    with file:
        yield int(file.samplerate)
        count = 0
        try:
            while len(block := file.read(int(BLOCK_SECONDS * file.samplerate), dtype="float32", always_2d=True)):
                count += len(block)
                yield block
        except soundfile.LibsndfileError:
            raise truncated_error(path) from None
        promised = file.frames if 0 < file.frames < 1 << 50 else 0
        if cut_off or count < promised * 0.95 - file.samplerate // 10:
            raise truncated_error(path)


def _track(path: str | Path, kind: str) -> Iterator[Any]:
    """The rate, then blocks (samples, channels)."""
    from verify_app.capture.container import decoded, opened, seconds_of, sound_stream

    with opened(path, kind, whole=False) as container:
        import av

        stream = sound_stream(container, path)
        rate = int(stream.rate or 0)
        # Only the length of the track itself is a promise: the video beside it may well last longer.
        promised = seconds_of(container, stream) if stream.duration else 0.0
        yield rate
        to_float = av.AudioResampler(format="fltp")
        count, broken = 0, False
        for frame in decoded(container, stream):
            if frame is None:
                broken = True
                continue
            for part in to_float.resample(frame):
                count += part.samples
                yield np.asarray(part.to_ndarray().T, np.float32)
        if broken or count < (promised * 0.95 - 0.1) * rate:
            raise truncated_error(path)


def _one_channel(path: str | Path, block: NDArray[np.float32]) -> FloatArray:
    """The mean of the channels, or the loudest where they cancel each other (one wire crossed)."""
    if not np.isfinite(block).all():
        raise not_numbers_error(path)
    mixed = block.mean(axis=1)
    if block.shape[1] > 1:
        energy = np.square(block, dtype=np.float64).sum(axis=0)
        if float(np.square(mixed, dtype=np.float64).sum()) < 0.01 * energy.max():
            mixed = block[:, int(np.argmax(energy))]
    return np.ascontiguousarray(mixed, np.float32)


def _resampler(rate: int) -> Callable[[FloatArray, bool], FloatArray]:
    if rate == RATE:
        return lambda block, _last: block
    import soxr

    stream = soxr.ResampleStream(rate, RATE, 1, dtype="float32", quality="HQ")
    return lambda block, last: np.asarray(stream.resample_chunk(block, last=last), np.float32)


def _bounded(block: FloatArray) -> FloatArray:
    """Louder blocks (floating-point files know no limit) are scaled down, never cut."""
    peak = float(np.abs(block).max(initial=0.0))
    return block / peak if peak > 1.0 else block
