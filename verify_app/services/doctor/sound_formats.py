"""Which sound formats this machine reads, by writing a second of sound in each and reading it back."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from verify_app.domain import FloatArray, Modality
from verify_app.reasons import UnusableInput
from verify_app.services.application import Application
from verify_app.services.doctor.findings import Finding, Health

RATE = 16000
FORMATS = {
    "WAV": ("WAV", "PCM_16", True),
    "FLAC": ("FLAC", "PCM_16", True),
    "OGG": ("OGG", "VORBIS", True),
    "Opus": ("OGG", "OPUS", True),
    "MP3": ("MP3", "MPEG_LAYER_III", False),
}
"""Name -> container and coding as libsndfile calls them, and whether the main job needs it."""


def recordings(app: Application) -> Iterator[Finding]:
    """One finding for the formats that work, one for each that does not."""
    good = []
    with tempfile.TemporaryDirectory() as folder:
        for name, (container, coding, needed) in FORMATS.items():
            problem = _problem(Path(folder) / f"{name}.bin", _written(container, coding))
            if problem is None:
                good.append(name)
            else:
                health = Health.FAILS if needed else Health.LIMITED
                yield Finding(f"{name} recordings", health, problem, "pip install --upgrade soundfile")
        problem = _problem(Path(folder) / "M4A.bin", _m4a())
        if problem is None:
            good.append("M4A")
        else:
            yield Finding("M4A recordings", Health.LIMITED, problem, "pip install --upgrade av")
    yield Finding("recordings", Health.WORKS, f"{', '.join(good)} can be read")


def _tone() -> FloatArray:
    return (0.2 * np.sin(2 * np.pi * 220 * np.arange(RATE) / RATE)).astype(np.float32)


def _written(container: str, coding: str) -> bytes | str:
    """A second of sound in this format, or why it cannot be written."""
    import soundfile

    buffer = io.BytesIO()
    try:
        soundfile.write(buffer, _tone(), RATE, format=container, subtype=coding)
    except (soundfile.LibsndfileError, ValueError, TypeError) as error:
        return str(error)
    return buffer.getvalue()


def _m4a() -> bytes | str:
    try:
        import av
    except ImportError as error:
        return str(error)
    buffer = io.BytesIO()
    try:
        with av.open(buffer, "w", format="mp4") as container:
            stream = container.add_stream("aac", rate=RATE)
            frame = av.AudioFrame.from_ndarray(_tone()[None, :], format="fltp", layout="mono")
            frame.sample_rate = RATE
            for packet in (*stream.encode(frame), *stream.encode(None)):
                container.mux(packet)
    except (av.FFmpegError, ValueError) as error:
        return str(error)
    return buffer.getvalue()


def _problem(file: Path, content: bytes | str) -> str | None:
    """Why the application cannot read this content, None when it can."""
    from verify_app.capture.files import load_samples

    if isinstance(content, str):
        return content
    file.write_bytes(content)
    try:
        samples = load_samples(file, Modality.VOICE)
    except UnusableInput as error:
        return error.reason.message
    return None if len(samples[0].data) > RATE // 2 else "it decodes to almost nothing"
