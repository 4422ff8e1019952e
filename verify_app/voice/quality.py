"""How usable a recording is, and when to refuse it."""

from __future__ import annotations

import math

import numpy as np

from verify_app.domain import FloatArray, Quality
from verify_app.quality_model import quality_model
from verify_app.reasons import Reason, ReasonCode
from verify_app.voice.music import beat, standing_tones
from verify_app.voice.speech import RATE, Speech

MIN_SPEECH_SECONDS = 1.0
MIN_SNR = 3.0
MAX_CLIPPED = 0.02
SILENT_PEAK = 1e-3
# Fewer than one in two hundred training recordings without music are as tonal (limit .86) or as rhythmic
# (models/quality/music.py); synthetic voices are more tonal, so that limit is higher.
MAX_STANDING_TONES = 0.92
MAX_BEAT = 0.51
_BEST_SNR = 60.0
_NOT_CLIPPED = 1e-3
_FRAME = 512
_SLOPE_FRAMES = 8  # of 10 ms, over which the fall of the level is measured
_STEEP = 0.05  # share of the steepest falls


def measure(speech: Speech, clipped_share: float) -> dict[str, float]:
    """The measures of a recording.

    Args:
        speech: what :class:`~verify_app.voice.speech.SpeechFinder` found.
        clipped_share: share of samples on the peak of the original recording, 0..1.

    Returns:
        ``speech_seconds``, ``level`` (root mean square of the speech in dB of full scale), ``snr``
        (signal-to-noise ratio in dB, at most 60), ``clipped_share``, ``decay`` (how fast the level falls where it
        falls fastest, dB per second: echoes and noise hold it up), ``bandwidth`` (kHz, below which 98 % of the
        pre-emphasised power lies), ``standing_tones`` and ``beat`` (signs of music, see
        :mod:`verify_app.voice.music`).
    """
    power = _frame_power(speech.spoken)
    signal = float(power.mean()) if len(power) else 0.0
    return {
        "speech_seconds": len(speech.spoken) / RATE,
        "level": _decibels(signal),
        "snr": _snr(signal, _noise_power(speech, power)),
        "clipped_share": clipped_share,
        "decay": _decay(speech.joined),
        "bandwidth": _bandwidth(speech.spoken),
        "standing_tones": standing_tones(speech.joined),
        "beat": beat(speech.joined),
    }


def assess(measures: dict[str, float]) -> Quality:
    """Score 0..1 and the reasons against using the recording, from its measures.

    The score is that of the fitted model in ``quality.json`` (:mod:`verify_app.quality_model`).
    """
    score = quality_model("verify_app.voice").score(model_measures(measures))
    return Quality(score if measures["speech_seconds"] else 0.0, measures, tuple(_reasons(measures)))


def model_measures(measures: dict[str, float]) -> dict[str, float]:
    """The measures as the model takes them: each is only good or only bad to have more of."""
    taken = {name: measures[name] for name in ("snr", "decay", "bandwidth")}
    # The one loudest sample of any recording is on its peak.
    clipped = max(measures["clipped_share"], _NOT_CLIPPED)
    return taken | {"clipped_share": clipped, "log_speech_seconds": math.log(max(measures["speech_seconds"], 0.1))}


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


def _decay(speech: FloatArray) -> float:
    """The rate that the steepest twentieth of the falls of the level exceed, in dB per second."""
    power = np.square(speech[: len(speech) // 160 * 160].reshape(-1, 160)).mean(axis=1)
    if len(power) <= 2 * _SLOPE_FRAMES:
        return 0.0
    level = 10 * np.log10(np.maximum(power, max(float(power.max()), 1e-12) * 1e-6))
    smooth = np.convolve(level, np.full(3, 1 / 3), "valid")
    falls = (smooth[:-_SLOPE_FRAMES] - smooth[_SLOPE_FRAMES:]) * 100 / _SLOPE_FRAMES
    return float(np.quantile(falls, 1 - _STEEP))


def _bandwidth(spoken: FloatArray) -> float:
    """Below how many kHz 98 % of the power lies, the treble lifted by 6 dB per octave."""
    if len(spoken) < _FRAME + 1:
        return 0.0
    frames = np.diff(spoken)[: (len(spoken) - 1) // _FRAME * _FRAME].reshape(-1, _FRAME)
    power = np.square(np.abs(np.fft.rfft(frames * np.hanning(_FRAME), axis=1))).sum(axis=0)
    reached = np.cumsum(power) / max(float(power.sum()), 1e-30)
    return float(np.searchsorted(reached, 0.98)) * RATE / _FRAME / 1000


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
    if measures["standing_tones"] > MAX_STANDING_TONES or measures["beat"] > MAX_BEAT:
        found.append(
            Reason(
                ReasonCode.AUDIO_MUSIC,
                "Music is playing under the speech.",
                "Turn the music off, or record in another place.",
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
