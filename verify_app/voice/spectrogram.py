"""The picture of a recording, for display; the encoder has a front end of its own inside its graph."""

from __future__ import annotations

import numpy as np

from verify_app.domain import FloatArray

HOP = 160
_WINDOW = 512
_RANGE_DECIBELS = 80.0


def spectrogram(waveform: FloatArray) -> FloatArray:
    """Power over frequency and time, in decibels below the loudest point.

    Args:
        waveform: float32 (samples,), 16 kHz; less than 32 ms of it is filled up with silence.

    Returns:
        float32 (257, frames), -80..0; row 0 is 0 Hz, row 256 is 8 kHz, one column every 10 ms.
    """
    import librosa

    whole = np.pad(np.asarray(waveform, np.float32), (0, max(_WINDOW - len(waveform), 0)))
    magnitude = np.abs(librosa.stft(whole, n_fft=_WINDOW, hop_length=HOP))
    decibels = librosa.amplitude_to_db(magnitude, ref=np.max, top_db=_RANGE_DECIBELS)
    return np.asarray(decibels, np.float32)
