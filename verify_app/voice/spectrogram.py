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
        waveform: float32 (samples,), 16 kHz.

    Returns:
        float32 (257, frames), -80..0; row 0 is 0 Hz, row 256 is 8 kHz, one column every 10 ms.
    """
    padded = np.pad(np.asarray(waveform, np.float32), _WINDOW // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(_WINDOW).astype(np.float32), axis=1)) ** 2
    decibels = 10 * np.log10(np.maximum(power, 1e-12))
    return np.asarray(np.clip(decibels - decibels.max(), -_RANGE_DECIBELS, 0).T, np.float32)
