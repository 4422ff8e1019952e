"""From a voice sample to an embedding: find the speech, measure, encode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from verify_app.domain import Contract, Embedding, FloatArray, Modality, Quality, Sample
from verify_app.encoders.manifest import Manifest
from verify_app.encoders.session import OnnxEncoder
from verify_app.reasons import Reason, ReasonCode, StateError, UnusableInput
from verify_app.voice.quality import SILENT_PEAK, assess, measure
from verify_app.voice.speakers import SpeakerLimits, likeness, pieces
from verify_app.voice.spectrogram import spectrogram
from verify_app.voice.speech import RATE, SpeechFinder

PREPROCESSING = ("speech-16k-1",)
SEVERAL = Reason(
    ReasonCode.SEVERAL_SPEAKERS,
    "More than one person seems to speak.",
    "Record one person alone, without other voices in the background.",
)
_SHORTEST = RATE  # samples the encoders take at least


@dataclass(frozen=True, slots=True, eq=False)
class VoiceAnalysis:
    """The speech of a recording, ready to be encoded.

    Attributes:
        segments: begin and end of each stretch of speech, in seconds.
        speech: float32 (samples,), 16 kHz: the segments with their margins joined, at most 20 s.
        speech_seconds: how long somebody speaks, margins not counted.
        quality: how usable it is.
        sample_sha256: digest of the sample it was found in.
    """

    segments: tuple[tuple[float, float], ...]
    speech: FloatArray
    speech_seconds: float
    quality: Quality
    sample_sha256: str

    def spectrogram(self) -> FloatArray:
        """The joined speech as a picture: float32 (257, frames), -80..0 dB; row 0 is 0 Hz."""
        return spectrogram(self.speech)


class VoicePipeline:
    """The speech finder and the encoder of a manifest, as one.

    Nothing is loaded until it is needed. May be used from several threads.

    Args:
        manifest: where the models are.
        threads: threads of one inference; None means one per core.
    """

    def __init__(self, manifest: Manifest, threads: int | None = None) -> None:
        entry = manifest.default("voice-encoder")
        if entry.preprocessing not in PREPROCESSING:
            raise StateError(
                ReasonCode.MODEL_CORRUPT,
                f"The model {entry.name} needs the preprocessing {entry.preprocessing!r}, which is not known here.",
                "Update the application, or restore the models folder that came with it.",
            )
        self._entry = entry
        self._encoder = OnnxEncoder(entry, threads)
        self._finder = SpeechFinder()

    @property
    def contract(self) -> Contract:
        """What every embedding of this pipeline is bound to."""
        return self._encoder.contract

    @property
    def active_provider(self) -> str:
        """The execution provider that runs the encoder."""
        return self._encoder.active_provider

    def analyse(self, sample: Sample, *, gates: bool = True) -> VoiceAnalysis:
        """Find the speech in a sample and measure its quality.

        Args:
            sample: a voice sample.
            gates: refuse a recording whose quality gives a reason to. Without speech there is nothing
                to encode, so NO_SPEECH and AUDIO_SILENT are refused always.

        Raises:
            UnusableInput: MODALITY_MISMATCH, AUDIO_SILENT, NO_SPEECH; with ``gates`` also
                SPEECH_TOO_SHORT, AUDIO_CLIPPED, AUDIO_MUSIC, AUDIO_NOISY, SEVERAL_SPEAKERS.
            StateError: MODEL_MISSING or MODEL_CORRUPT.
        """
        if sample.modality is not Modality.VOICE:
            raise UnusableInput(
                ReasonCode.MODALITY_MISMATCH, f"{sample.source} is not a recording.", "Use a recording of the voice."
            )
        if np.abs(sample.data).max(initial=0.0) < SILENT_PEAK:
            raise UnusableInput(
                ReasonCode.AUDIO_SILENT,
                f"{sample.source} is silent.",
                "Check that the right microphone is chosen and not muted.",
            )
        speech = self._finder.find(sample.data)
        quality = assess(measure(speech, float(sample.details.get("clipped_share", 0.0))))
        if not quality.reasons:
            quality = self._one_speaker(speech.joined, quality)
        if not len(speech.joined) or (gates and quality.reasons):
            raise _refusal(sample, quality.reasons[0])
        return VoiceAnalysis(speech.segments, speech.joined, len(speech.spoken) / RATE, quality, sample.sha256)

    def embed(self, analyses: Sequence[VoiceAnalysis]) -> list[Embedding]:
        """Embed analysed recordings, one inference each: their lengths differ."""
        return [
            Embedding(self.vector(each.speech), self.contract, Modality.VOICE, each.quality, each.sample_sha256)
            for each in analyses
        ]

    def encode(self, sample: Sample, **options: Any) -> tuple[VoiceAnalysis, Embedding]:
        """:meth:`analyse` with these options, then :meth:`embed`."""
        analysis = self.analyse(sample, **options)
        return analysis, self.embed([analysis])[0]

    @cached_property
    def _limits(self) -> SpeakerLimits | None:
        return SpeakerLimits.read(self._entry.path.parent, self.contract)

    def _one_speaker(self, speech: FloatArray, quality: Quality) -> Quality:
        """The quality with the likeness of the pieces of speech, and the reason when they are of several people."""
        parts = pieces(speech)
        lowest = self._limits.lowest.get(len(parts)) if self._limits is not None else None
        if lowest is None:
            return quality
        alike = likeness(self._encoder.encode(parts))
        measures = {**quality.measures, "one_voice": alike}
        return replace(quality, measures=measures, reasons=(SEVERAL,) if alike < lowest else ())

    def vector(self, speech: FloatArray) -> FloatArray:
        """The embedding of a waveform (float32, 16 kHz) that is all speech, float32 (dimension,)."""
        if len(speech) < _SHORTEST:
            speech = np.resize(speech, _SHORTEST)  # repeats it
        return np.asarray(self._encoder.encode(speech[np.newaxis])[0])


def _refusal(sample: Sample, reason: Reason) -> UnusableInput:
    return UnusableInput(
        reason.code, f"{sample.source}: {reason.message[:1].lower()}{reason.message[1:]}", reason.advice
    )
