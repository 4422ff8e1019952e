"""Is there music under the speech? Two simple signs: tones that stand still, and blows that come on the beat.

A voice glides; a note stays on its frequency. K. Seyerlehner, T. Pohle, M. Schedl and G. Widmer, "Automatic music
detection in television productions", DAFx 2007, count how long spectral peaks last at one place. A drum loop has few
such peaks, but the energy of its treble repeats exactly.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from verify_app.domain import FloatArray

_RATE = 16_000
_WINDOW, _HOP = 2048, 400  # 128 ms, so that a peak is 8 Hz wide; 40 a second
_HIGHEST = 4000.0  # Hz; few notes have more above
_BLOCK = 24  # frames: .6 s, longer than a vowel stands still
_PROMINENCE = 6.0  # dB over its surroundings make a peak
_LINES = 5
_BEAT_HOP = 160  # 10 ms
_BEATS = (0.2, 1.0)  # seconds from one blow to the next
_TREBLE = 4000.0


def standing_tones(waveform: FloatArray) -> float:
    """How long the steadiest tones last: 0 (none stands still) .. 1 (five sound all the time).

    The mean share of time for which the five most lasting spectral peaks of each block of .6 s are there; of all
    blocks the upper quartile. 0 for less than .6 s.
    """
    spectrum = _decibels(waveform, _WINDOW, _HOP)[:, : int(_HIGHEST * _WINDOW / _RATE)]
    blocks = len(spectrum) // _BLOCK
    if blocks == 0:
        return 0.0
    peaks = (spectrum - _smooth(spectrum, 10)) > _PROMINENCE
    lasting = peaks[: blocks * _BLOCK].reshape(blocks, _BLOCK, -1).mean(axis=1)
    # A peak covers a few bins; only the top of each counts.
    tops = np.where((lasting >= np.roll(lasting, 1, 1)) & (lasting > np.roll(lasting, -1, 1)), lasting, 0.0)
    return float(np.quantile(np.sort(tops, axis=1)[:, -_LINES:].mean(axis=1), 0.75))


def beat(waveform: FloatArray) -> float:
    """How exactly the blows in the treble repeat, -1..1: the highest autocorrelation of their onsets.

    Looked for between .2 and 1 s; 0 for less than 3 s, which hold too few beats.
    """
    if len(waveform) < 3 * _RATE:
        return 0.0
    treble = _decibels(waveform, 512, _BEAT_HOP)[:, int(_TREBLE * 512 / _RATE) :]
    onsets = np.maximum(np.diff(treble, axis=0), 0.0).mean(axis=1)
    onsets = onsets - onsets.mean()
    power = float(onsets @ onsets)
    if power <= 0:
        return 0.0
    length = 1 << (2 * len(onsets) - 1).bit_length()
    correlation = np.fft.irfft(np.abs(np.fft.rfft(onsets, length)) ** 2)[: len(onsets)]
    lags = np.arange(*(int(seconds * _RATE / _BEAT_HOP) for seconds in _BEATS))
    # Fewer products at longer lags: as many as there would be at lag 0.
    return float((correlation[lags] * len(onsets) / (len(onsets) - lags)).max() / power)


def _decibels(waveform: FloatArray, window: int, hop: int) -> NDArray[np.float32]:
    """Power spectra in dB, shape (frames, window // 2 + 1); at most 60 dB below the loudest point."""
    if len(waveform) < window:
        return np.empty((0, window // 2 + 1), np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(waveform, window)[::hop]
    power = np.square(np.abs(np.fft.rfft(frames * np.hanning(window).astype(np.float32), axis=1)))
    return np.asarray(10 * np.log10(np.maximum(power, max(float(power.max()), 1e-12) * 1e-6)), np.float32)


def _smooth(spectrum: NDArray[np.float32], reach: int) -> NDArray[np.float32]:
    """The mean over ``reach`` bins to either side."""
    padded = np.pad(spectrum, ((0, 0), (reach + 1, reach)), mode="edge")
    sums = np.cumsum(padded, axis=1, dtype=np.float64)
    return np.asarray((sums[:, 2 * reach + 1 :] - sums[:, : -2 * reach - 1]) / (2 * reach + 1), np.float32)
