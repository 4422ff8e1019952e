"""From files or live captures to embeddings; what cannot be used is reported, never dropped in silence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from verify_app.domain import Embedding, ImageArray, Modality, Quality, Sample
from verify_app.reasons import Reason, ReasonCode, UnusableInput
from verify_app.services.application import Application
from verify_app.services.jobs import CancelledCheck, ProgressCallback, never_cancelled, no_progress, stop_if

if TYPE_CHECKING:
    from verify_app.face.pipeline import FaceAnalysis
    from verify_app.voice.pipeline import VoiceAnalysis

SampleInput: TypeAlias = str | Path | Sample
"""A file, or something captured already."""


@dataclass(frozen=True, slots=True, eq=False)
class SampleOutcome:
    """What became of one sample.

    Attributes:
        source: the file, or the device it was captured with.
        modality: face or voice; None when the file could not be read.
        sample: what was read.
        analysis: the face or the speech found in it; also kept for display where a quality gate refused it.
        embedding: what the encoder made of it; None when it was refused.
        reason: why it was refused, None when it was accepted.
    """

    source: str
    modality: Modality | None = None
    sample: Sample | None = None
    analysis: FaceAnalysis | VoiceAnalysis | None = None
    embedding: Embedding | None = None
    reason: Reason | None = None

    @property
    def accepted(self) -> bool:
        """Whether there is an embedding to compare."""
        return self.embedding is not None

    @property
    def quality(self) -> Quality | None:
        """How usable the sample is, where that is known."""
        return self.analysis.quality if self.analysis is not None else None

    @property
    def crop(self) -> ImageArray | None:
        """The aligned face, uint8 (112, 112, 3) RGB; None for a voice."""
        return getattr(self.analysis, "crop", None)

    def as_dict(self) -> dict[str, object]:
        """The outcome, ready for JSON."""
        quality = self.quality
        return {
            "source": self.source,
            "modality": self.modality.value if self.modality else None,
            "accepted": self.accepted,
            "quality": round(quality.score, 4) if quality else None,
            "measures": {name: round(float(value), 4) for name, value in quality.measures.items()} if quality else {},
            "reason": self.reason.as_dict() if self.reason else None,
        }


def examine(
    app: Application,
    items: Iterable[SampleInput],
    *,
    modality: Modality | None = None,
    progress: ProgressCallback = no_progress,
    cancelled: CancelledCheck = never_cancelled,
) -> tuple[SampleOutcome, ...]:
    """Read, check and encode samples, one outcome per sample (a video gives several).

    Only trouble with a sample becomes its outcome's reason; trouble with the application (a corrupt model) raises.
    """
    items = tuple(items)
    outcomes: list[SampleOutcome] = []
    for number, item in enumerate(items):
        stop_if(cancelled)
        progress(number, len(items), _source(item))
        outcomes.extend(_examine_one(app, item, modality))
    progress(len(items), len(items))
    return tuple(outcomes)


def accepted_by_modality(outcomes: Sequence[SampleOutcome]) -> dict[Modality, list[Embedding]]:
    """The embeddings that can be compared, by modality; raises the first refusal when there are none.

    Raises:
        UnusableInput: the reason of the first sample that was refused.
    """
    found: dict[Modality, list[Embedding]] = {}
    for outcome in outcomes:
        if outcome.embedding is not None:
            found.setdefault(outcome.embedding.modality, []).append(outcome.embedding)
    if not found:
        raise_first(outcomes)
    return found


def raise_first(outcomes: Sequence[SampleOutcome]) -> None:
    """Raise the first refusal among the outcomes."""
    for outcome in outcomes:
        if outcome.reason is not None:
            message = outcome.reason.message
            if outcome.source not in message:
                message = f"{outcome.source}: {message[:1].lower()}{message[1:]}"
            raise UnusableInput(outcome.reason.code, message, outcome.reason.advice)
    raise UnusableInput(ReasonCode.FILE_NOT_FOUND, "No sample was given.", "Give at least one file.")


def _examine_one(app: Application, item: SampleInput, modality: Modality | None) -> list[SampleOutcome]:
    if isinstance(item, Sample):
        return [_analyse(app, item)]
    from verify_app.capture.files import load_samples

    try:
        samples = load_samples(Path(item), modality)
    except UnusableInput as error:
        return [SampleOutcome(str(item), modality, reason=error.reason)]
    return [_analyse(app, sample) for sample in samples]


def _analyse(app: Application, sample: Sample) -> SampleOutcome:
    pipeline: Any = app.pipeline(sample.modality)
    try:
        # Without gates a poor sample still comes back, to be shown beside the reason it is refused for.
        analysis = pipeline.analyse(sample, gates=False)
    except UnusableInput as error:
        return SampleOutcome(sample.source, sample.modality, sample, reason=error.reason)
    if analysis.quality.reasons:
        return SampleOutcome(sample.source, sample.modality, sample, analysis, reason=analysis.quality.reasons[0])
    return SampleOutcome(sample.source, sample.modality, sample, analysis, pipeline.embed([analysis])[0])


def _source(item: SampleInput) -> str:
    return item.source if isinstance(item, Sample) else str(item)
