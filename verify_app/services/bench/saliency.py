"""What a decision rests on: cover a part of the sample, and see how much the score falls.

Occlusion (Zeiler & Fergus, ECCV 2014) needs nothing but the encoder: a grey patch over each part of a face,
a silenced patch of time and frequency in a recording. A part whose absence lowers the score speaks for the
match; one whose absence raises it speaks against.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verify_app.domain import FloatArray, ImageArray

PATCH, STRIDE = 20, 8
"""Side of the grey patch and step between two, in pixels of the 112 × 112 crop."""
WINDOW, HOP = 512, 160
"""Samples at 16 kHz of one spectrum, and between two."""
TIME_CELLS, BAND_CELLS = 16, 8
BAND_EDGES = (0, 250, 500, 800, 1200, 1800, 2600, 4000, 8000)
"""Edges of the bands in Hz: about as wide as the ear's."""


@dataclass(frozen=True, slots=True, eq=False)
class Saliency:
    """What each part contributes.

    Attributes:
        score: the score of the whole sample.
        map: float64 array; for a face (112, 112), for a voice (bands, times): fall of the score when the
            part is covered; positive parts speak for the match.
        times: for a voice: float64 array (times + 1,), edges in seconds.
        bands: for a voice: float64 array (bands + 1,), edges in Hz.
    """

    score: float
    map: NDArray[np.float64]
    times: NDArray[np.float64] | None = None
    bands: NDArray[np.float64] | None = None


def face_saliency(crop: ImageArray, score: Callable[[ImageArray], NDArray[np.float64]]) -> Saliency:
    """Occlusion map of a face.

    Args:
        crop: uint8 array (112, 112, 3), aligned.
        score: from a batch of such crops (n, 112, 112, 3) to the score of each (n,).
    """
    side = crop.shape[0]
    corners = range(-PATCH // 2, side - PATCH // 2 + 1, STRIDE)
    grey = crop.reshape(-1, 3).mean(axis=0).astype(np.uint8)
    covered, places = [crop], []
    for top in corners:
        for left in corners:
            place = (slice(max(top, 0), top + PATCH), slice(max(left, 0), left + PATCH))
            part = crop.copy()
            part[place] = grey
            covered.append(part)
            places.append(place)
    scores = score(np.stack(covered))
    total, times = np.zeros((side, side)), np.zeros((side, side))
    for place, one in zip(places, scores[1:], strict=True):
        total[place] += scores[0] - one
        times[place] += 1
    return Saliency(float(scores[0]), total / np.maximum(times, 1))


def voice_saliency(speech: FloatArray, score: Callable[[FloatArray], float]) -> Saliency:
    """Time-frequency map of a voice.

    Args:
        speech: float32 array (samples,), 16 kHz mono.
        score: from such an array to its score.
    """
    from scipy.signal import istft, stft

    rate = 16_000
    frequencies, times, spectrum = stft(speech, rate, nperseg=WINDOW, noverlap=WINDOW - HOP)
    whole = score(speech)
    time_edges = np.linspace(0, len(speech) / rate, TIME_CELLS + 1)
    found = np.zeros((BAND_CELLS, TIME_CELLS))
    for band in range(BAND_CELLS):
        rows = (frequencies >= BAND_EDGES[band]) & (frequencies < BAND_EDGES[band + 1] + (band == BAND_CELLS - 1))
        for cell in range(TIME_CELLS):
            columns = (times >= time_edges[cell]) & (times <= time_edges[cell + 1])
            silenced = spectrum.copy()
            silenced[np.ix_(rows, columns)] *= 0.03  # 30 dB down: digital silence would be a cue of its own
            _, sound = istft(silenced, rate, nperseg=WINDOW, noverlap=WINDOW - HOP)
            part = np.zeros_like(speech)
            part[: min(len(sound), len(part))] = sound[: len(part)]
            found[band, cell] = whole - score(part)
    return Saliency(whole, found, time_edges, np.array(BAND_EDGES, dtype=np.float64))
