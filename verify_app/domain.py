"""The nouns of biometric verification, as ISO/IEC 2382-37 names them: frozen values, no input or output.

The way of the data is one line: capture -> sample -> quality -> embedding -> comparison ->
calibrated log-likelihood ratio -> decision. Each step takes and gives one of the types below, or
stops with a :class:`~verify_app.reasons.Reason`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from verify_app.reasons import Reason

FloatArray: TypeAlias = NDArray[np.float32]
ImageArray: TypeAlias = NDArray[np.uint8]


class Modality(StrEnum):
    """What kind of biometric characteristic a sample shows."""

    FACE = "face"
    VOICE = "voice"


@dataclass(frozen=True, slots=True)
class Interval:
    """A measured figure with its confidence interval: ``low <= value <= high``."""

    value: float
    low: float
    high: float
    confidence: float = 0.95

    def as_dict(self) -> dict[str, float]:
        """The figure and its bounds, ready for JSON."""
        return {"value": self.value, "low": self.low, "high": self.high, "confidence": self.confidence}


@dataclass(frozen=True, slots=True)
class Contract:
    """What an embedding depends on. Embeddings under different contracts are never compared.

    Attributes:
        encoder: name of the encoder in the model manifest.
        sha256: hexadecimal digest of the ONNX file.
        preprocessing: version name of everything done before the graph.
        dimension: length of the embedding.
        normalisation: ``"l2"`` when embeddings have unit Euclidean norm, else ``"none"``.
    """

    encoder: str
    sha256: str
    preprocessing: str
    dimension: int
    normalisation: str

    @property
    def id(self) -> str:
        """One string that names the contract; equal strings mean comparable embeddings."""
        return f"{self.encoder}/{self.sha256}/{self.preprocessing}/{self.dimension}/{self.normalisation}"


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One captured image or recording.

    Attributes:
        modality: face or voice.
        data: face: uint8 array (height, width, 3), RGB, upright.
            voice: float32 array (samples,), mono, 16 kHz, within -1..1.
        source: where it came from: a file path, ``"camera"`` or ``"microphone"``.
        sha256: hexadecimal digest of the file content (or of ``data`` for live captures).
        device_class: ``"file"``, ``"camera"``, ``"microphone"`` …; calibrations name the one they hold for.
        captured_at: when it was captured or read, UTC.
        details: facts of the original (size in pixels, sample rate, frame time …), for display.
    """

    modality: Modality
    data: NDArray[Any]
    source: str
    sha256: str
    device_class: str = "file"
    captured_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Quality:
    """How usable a sample is.

    Attributes:
        score: 0 (useless) .. 1 (ideal), monotone with the expected error.
        measures: the named parts, in their own units (``sharpness``, ``speech_seconds`` …).
        reasons: what is wrong with the sample, the worst first; empty when nothing is.
    """

    score: float
    measures: Mapping[str, float] = field(default_factory=dict)
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Embedding:
    """What an encoder makes of a sample: float32 array (dimension,), bound to its contract."""

    vector: FloatArray
    contract: Contract
    modality: Modality
    quality: Quality
    sample_sha256: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """A probe compared with one subject's references under one calibration.

    Attributes:
        modality: face or voice.
        score: comparison score, larger is more alike (its range depends on ``similarity``).
        similarity: name of the similarity, for example ``"cosine"``.
        references: how many reference embeddings stand behind the score.
        quality: quality score of the probe, 0..1.
        contract_id: contract that both sides share.
        llr: natural-log likelihood ratio mated : non-mated, None without a calibration.
        predicted_fmr: share of non-mated comparisons expected to score at least this high.
        threshold: score from which the operating point accepts.
        calibration: name of the calibration used.
        extrapolated: whether the predicted rate lies below what could be counted, and rests on a fitted tail.
    """

    modality: Modality
    score: float
    similarity: str
    references: int
    quality: float
    contract_id: str
    llr: float | None = None
    predicted_fmr: Interval | None = None
    threshold: float | None = None
    calibration: str | None = None
    extrapolated: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome of a verification. ``verified`` is True only when every condition holds.

    Attributes:
        verified: the answer.
        reason: why; always present, for a yes as for a no.
        target_fmr: false-match rate of the operating point that decided.
        llr: log-likelihood ratio the decision rests on (the fused one when there are two comparisons).
        predicted_fmr: predicted false-match rate of that ratio.
        comparisons: what was compared, one per modality.
    """

    verified: bool
    reason: Reason
    target_fmr: float
    llr: float | None = None
    predicted_fmr: Interval | None = None
    comparisons: tuple[Comparison, ...] = ()
