"""What a comparison of two files rests on: saliency of the first against the second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verify_app.domain import FloatArray, ImageArray, Modality
from verify_app.reasons import ReasonCode, UsageError
from verify_app.services.application import Application
from verify_app.services.bench.pictures import face_picture, voice_picture
from verify_app.services.bench.saliency import Saliency, face_saliency, voice_saliency

BATCH = 32


def explain(app: Application, probe: str | Path, reference: str | Path, out: str | Path) -> tuple[Saliency, Path]:
    """Draw which parts of ``probe`` speak for and against the match with ``reference``.

    Args:
        app: the application.
        probe: a picture of a face, or a recording of a voice.
        reference: another of the same kind.
        out: the PNG file to write.

    Raises:
        UnusableInput: a file cannot be used.
        UsageError: the files are of different kinds, or ``out`` cannot be written.
    """
    from verify_app.capture.files import load_samples

    samples = [load_samples(file)[0] for file in (probe, reference)]
    if samples[0].modality is not samples[1].modality:
        raise UsageError(ReasonCode.USAGE, "A face cannot be compared with a voice.", "Give two files of one kind.")
    pipeline: Any = app.pipeline(samples[0].modality)
    analysis = pipeline.analyse(samples[0])
    _, other = pipeline.encode(samples[1])
    if samples[0].modality is Modality.FACE:
        found = face_saliency(analysis.crop, lambda crops: _face_scores(app, crops, other.vector))
        picture = face_picture(analysis.crop, found)
    else:
        encoder = _encoder(app, Modality.VOICE)
        speech = analysis.speech if len(analysis.speech) >= 16_000 else np.resize(analysis.speech, 16_000)
        found = voice_saliency(speech, lambda sound: float(encoder.encode(sound[np.newaxis])[0] @ other.vector))
        picture = voice_picture(analysis.spectrogram(), found)
    target = Path(out)
    try:
        target.write_bytes(picture)
    except OSError as error:
        raise UsageError(
            ReasonCode.USAGE, f"{target} cannot be written: {error.strerror}.", "Choose another file with --out."
        ) from None
    return found, target


def _face_scores(app: Application, crops: ImageArray, reference: FloatArray) -> NDArray[np.float64]:
    encoder = _encoder(app, Modality.FACE)
    parts = [encoder.encode(crops[start : start + BATCH]) @ reference for start in range(0, len(crops), BATCH)]
    return np.concatenate(parts).astype(np.float64)


def _encoder(app: Application, modality: Modality) -> Any:
    from verify_app.encoders.session import OnnxEncoder

    return OnnxEncoder(app.manifest.default(f"{modality.value}-encoder"), app.threads)
