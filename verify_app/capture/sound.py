"""Recordings: from a file to one channel of 16 000 samples a second."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verify_app.capture.content import open_error
from verify_app.capture.sound_header import is_truncated
from verify_app.domain import FloatArray, Modality, Sample
from verify_app.native import quiet_stderr
from verify_app.reasons import ReasonCode, UnusableInput

RATE = 16_000
MAX_SECONDS = 30 * 60
_RATES = range(4_000, 768_001)
_BLOCK = 1 << 16

Blocks = Iterable[NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording opened for decoding.

    Attributes:
        rate: samples per second and channel.
        channels: number of channels.
        frames: samples per channel that the header promises; None when it does not say.
        blocks: starts decoding from the beginning: float32 arrays (samples, channels).
    """

    rate: int
    channels: int
    frames: int | None
    blocks: Callable[[], Blocks]


def load_sound(path: str | Path, kind: str) -> Sample:
    """One voice sample from a sound file whose content is of the format ``kind``.

    Raises:
        UnusableInput: AUDIO_TOO_LONG (told by the header where it says), FILE_TRUNCATED,
            FILE_UNREADABLE, FORMAT_UNSUPPORTED.
    """
    try:
        with Path(path).open("rb") as file:
            truncated = is_truncated(file, kind)
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError) as error:
        raise open_error(path, error) from None
    if truncated:
        raise truncated_error(path)
    import soundfile

    try:
        # By descriptor: given a name, the library would judge the format by the name's ending.
        with quiet_stderr(), soundfile.SoundFile(os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))) as file:
            frames = file.frames if 0 < file.frames < 1 << 50 else None

            def blocks() -> Iterator[NDArray[np.float32]]:
                file.seek(0)
                try:
                    while len(block := file.read(_BLOCK, dtype="float32", always_2d=True)):
                        yield block
                except soundfile.LibsndfileError:  # the header is sound, what follows is not
                    raise truncated_error(path) from None

            recording = Recording(file.samplerate, file.channels, frames, blocks)
            return voice_sample(path, recording, digest, {"format": kind, "subtype": file.subtype_info})
    except soundfile.LibsndfileError:
        raise undecodable_error(path, kind) from None


def voice_sample(path: str | Path, recording: Recording, digest: str, details: dict[str, Any]) -> Sample:
    """Decode a recording into a voice sample; raises as :func:`load_sound` does."""
    check_rate(path, recording.rate)
    if recording.frames is not None and recording.frames > MAX_SECONDS * recording.rate:
        raise too_long_error(path, f"it lasts {recording.frames / recording.rate / 60:.0f} minutes")
    waveform, clipped, decoded = _decode(path, recording)
    if not len(waveform):
        raise UnusableInput(
            ReasonCode.FILE_EMPTY, f"{path} holds no sound at all.", "Record it again, or use another file."
        )
    if recording.frames is not None and decoded < recording.frames * 0.95 - recording.rate // 10:
        raise truncated_error(path)
    facts = {
        **details,
        "sample_rate": recording.rate,
        "channels": recording.channels,
        "seconds": decoded / recording.rate,
        "clipped_share": clipped,
    }
    return Sample(Modality.VOICE, waveform, str(path), digest, details=facts)


def truncated_error(path: str | Path) -> UnusableInput:
    """The reason for a file that ends before it should."""
    return UnusableInput(
        ReasonCode.FILE_TRUNCATED,
        f"{path} is cut off: the file ends before the recording does.",
        "Copy or download the file again.",
    )


def undecodable_error(path: str | Path, kind: str) -> UnusableInput:
    """The reason for a recording whose beginning alone is sound."""
    return UnusableInput(
        ReasonCode.FILE_UNREADABLE,
        f"{path} begins like a {kind.upper()} recording but cannot be decoded.",
        "Play it in an audio player and save it again as WAV or FLAC, or record it again.",
    )


def not_numbers_error(path: str | Path) -> UnusableInput:
    """The reason for a floating-point recording with infinities or worse."""
    return UnusableInput(
        ReasonCode.FILE_UNREADABLE,
        f"{path} holds values that are not numbers.",
        "Export the recording again, for example as 16-bit WAV.",
    )


def check_rate(path: str | Path, rate: int) -> None:
    """Raise FORMAT_UNSUPPORTED for a number of samples a second that no recording of speech has."""
    if rate not in _RATES:
        raise UnusableInput(
            ReasonCode.FORMAT_UNSUPPORTED,
            f"{path} has {rate} samples a second, which cannot carry speech.",
            "Record with 16 000 samples a second or more.",
        )


def clipped_share(samples: NDArray[np.float32]) -> float:
    """Share of samples that lie within .1 % of the largest magnitude.

    Undistorted speech reaches its peak a few times in a million samples; a clipped recording rests
    on it, at whatever level it was stored afterwards. Measure before any resampling, which turns the
    flat tops into ripples.
    """
    magnitude = np.abs(samples)
    peak = float(magnitude.max(initial=0.0))
    return float(np.mean(magnitude >= 0.999 * peak)) if peak > 1e-3 else 0.0


def _decode(path: str | Path, recording: Recording) -> tuple[FloatArray, float, int]:
    """Waveform at 16 kHz, share of clipped samples, and how many samples a channel were decoded."""
    mixed, energy = _mix(path, recording, None)
    loudest = int(np.argmax(energy))
    if recording.channels > 1 and float(np.mean(mixed**2)) * len(mixed) < 0.01 * energy[loudest]:
        # The channels cancel each other (one wire crossed): the louder one alone is the recording.
        mixed, _ = _mix(path, recording, loudest)
    clipped = clipped_share(mixed)
    return to_16k(mixed, recording.rate), clipped, len(mixed)


def _mix(path: str | Path, recording: Recording, channel: int | None) -> tuple[FloatArray, NDArray[np.float64]]:
    parts: list[FloatArray] = []
    energy = np.zeros(recording.channels)
    total = 0
    for block in recording.blocks():
        total += len(block)
        if total > MAX_SECONDS * recording.rate:
            raise too_long_error(path, f"it lasts more than {MAX_SECONDS // 60} minutes")
        if not np.isfinite(block).all():
            raise not_numbers_error(path)
        energy += np.square(block, dtype=np.float64).sum(axis=0)
        parts.append(block.mean(axis=1) if channel is None else block[:, channel].copy())
    return (np.concatenate(parts) if parts else np.empty(0, np.float32)), energy


def to_16k(samples: FloatArray, rate: int) -> FloatArray:
    """Resample one channel to 16 kHz and keep it within -1..1.

    Louder recordings (floating-point files know no limit) are scaled down, never cut.
    """
    if rate != RATE:
        import soxr

        samples = soxr.resample(samples, rate, RATE, quality="HQ")
    peak = float(np.abs(samples).max(initial=0.0))
    return np.ascontiguousarray(samples / peak if peak > 1.0 else samples, np.float32)


def too_long_error(path: str | Path, what: str) -> UnusableInput:
    """The reason for a recording beyond the limit."""
    return UnusableInput(
        ReasonCode.AUDIO_TOO_LONG,
        f"{path} is too long: {what}.",
        f"Cut out a part of at most {MAX_SECONDS // 60} minutes in which only the one person speaks.",
    )
