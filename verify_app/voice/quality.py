"""How usable a recording is, and when to refuse it."""

from __future__ import annotations

import math

import numpy as np

from verify_app.domain import FloatArray, Quality
from verify_app.reasons import Reason, ReasonCode
from verify_app.voice.speech import RATE, Speech

MIN_SPEECH_SECONDS = 1.0
MIN_SNR = 3.0
MAX_CLIPPED = 0.02
SILENT_PEAK = 1e-3
_BEST_SNR = 60.0
_FRAME = 512


def measure(speech: Speech, clipped_share: float) -> dict[str, float]:
    """The measures of a recording.

    Args:
        speech: what :class:`~verify_app.voice.speech.SpeechFinder` found.
        clipped_share: share of samples on the peak of the original recording, 0..1.

    Returns:
        ``speech_seconds``, ``level`` (root mean square of the speech in dB of full scale), ``snr``
        (signal-to-noise ratio in dB, at most 60) and ``clipped_share``.
    """
    power = _frame_power(speech.spoken)
    signal = float(power.mean()) if len(power) else 0.0
    return {
        "speech_seconds": len(speech.spoken) / RATE,
        "level": _decibels(signal),
        "snr": _snr(signal, _noise_power(speech, power)),
        "clipped_share": clipped_share,
    }


def assess(measures: dict[str, float]) -> Quality:
    """Score 0..1 and the reasons against using the recording, from its measures.

    The score is the product of one factor for each measure, each 0..1.
    """
    factors = [
        _ramp(math.log(max(measures["speech_seconds"], 0.1)), math.log(0.3), math.log(8.0)),
        _ramp(measures["snr"], -5.0, 25.0),
        _ramp(-measures["clipped_share"], -0.05, -0.001),
    ]
    return Quality(float(np.prod(factors)), measures, tuple(_reasons(measures)))


def _frame_power(samples: FloatArray) -> FloatArray:
    frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
    return np.asarray(np.square(frames).mean(axis=1), np.float32)


def _noise_power(speech: Speech, power: FloatArray) -> float:
    """Power between the segments; without enough of that, of the quietest tenth of the speech."""
    rest = _frame_power(speech.rest)
    if len(rest) * _FRAME >= 0.3 * RATE:
        return float(np.median(rest))
    return float(np.quantile(power, 0.05)) if len(power) else 0.0


def _snr(signal: float, noise: float) -> float:
    if signal <= noise or signal <= 0:
        return 0.0
    return min(_decibels((signal - noise) / max(noise, 1e-12)), _BEST_SNR)


def _decibels(power: float) -> float:
    return 10 * math.log10(max(power, 1e-12))


def _ramp(value: float, worst: float, best: float) -> float:
    return min(max((value - worst) / (best - worst), 0.0), 1.0)


def _reasons(measures: dict[str, float]) -> list[Reason]:
    found = []
    seconds = measures["speech_seconds"]
    if seconds == 0:
        return [
            Reason(
                ReasonCode.NO_SPEECH,
                "Nobody can be heard speaking.",
                "Speak a whole sentence close to the microphone, without music.",
            )
        ]
    if seconds < MIN_SPEECH_SECONDS:
        found.append(
            Reason(
                ReasonCode.SPEECH_TOO_SHORT,
                f"There is too little speech: {seconds:.1f} seconds.",
                "Speak for at least three seconds.",
            )
        )
    if measures["clipped_share"] > MAX_CLIPPED:
        found.append(
            Reason(
                ReasonCode.AUDIO_CLIPPED,
                "The recording is overdriven.",
                "Turn the microphone level down, or speak from further away.",
            )
        )
    if measures["snr"] < MIN_SNR:
        found.append(
            Reason(
                ReasonCode.AUDIO_NOISY,
                "The noise is about as loud as the speech.",
                "Record in a quieter place, closer to the microphone.",
            )
        )
    return found
