"""An enrolment in the making: the name and the samples examined so far, and what to add next. No Qt widgets here."""

from __future__ import annotations

from dataclasses import dataclass, field

from verify_app.domain import Modality, Sample
from verify_app.gui.text import translate
from verify_app.services.samples import SampleOutcome

ENOUGH_FACES = 3
ENOUGH_SPEECH = 10.0


@dataclass(slots=True, eq=False)
class Draft:
    """What was gathered.

    Attributes:
        name: of the person to enrol.
        outcomes: every sample examined, in order.
    """

    name: str = ""
    outcomes: list[SampleOutcome] = field(default_factory=list)

    def of(self, modality: Modality) -> list[SampleOutcome]:
        """The samples offered for a modality."""
        return [one for one in self.outcomes if one.modality is modality]

    def accepted(self, modality: Modality | None = None) -> list[SampleOutcome]:
        """The samples that will be kept."""
        return [one for one in self.outcomes if one.accepted and (modality is None or one.modality is modality)]

    def samples(self) -> list[Sample]:
        """What is handed to the enrolment."""
        return [one.sample for one in self.accepted() if one.sample is not None]

    def add(self, outcomes: tuple[SampleOutcome, ...]) -> int:
        """Take examined samples in; the same content twice counts once. Returns how many were new."""
        known = {one.sample.sha256 for one in self.accepted() if one.sample is not None}
        new = [one for one in outcomes if not (one.accepted and one.sample is not None and one.sample.sha256 in known)]
        self.outcomes.extend(new)
        return len(new)

    def remove(self, outcome: SampleOutcome) -> None:
        """Take one sample out."""
        self.outcomes = [one for one in self.outcomes if one is not outcome]

    def speech_seconds(self) -> float:
        """Seconds of speech accepted so far."""
        return sum(float(getattr(one.analysis, "speech_seconds", 0.0)) for one in self.accepted(Modality.VOICE))


def advice(draft: Draft, modality: Modality) -> str:
    """What to add next for a modality, in one or two sentences."""
    offered = draft.of(modality)
    if offered and offered[-1].reason is not None:
        return offered[-1].reason.advice or offered[-1].reason.message
    if offered and offered[-1].quality is not None and offered[-1].quality.reasons:
        weak = offered[-1].quality.reasons[0]
        return f"{weak.message} {weak.advice}".strip()
    return _face_advice(len(draft.accepted(modality))) if modality is Modality.FACE else _voice_advice(draft)


def _face_advice(count: int) -> str:
    if count == 0:
        return translate("EnrolAdvice", "Begin with a picture from the front: even light, eyes open, no sunglasses.")
    if count == 1:
        return translate("EnrolAdvice", "Good. Now one with the head turned slightly to a side.")
    if count < ENOUGH_FACES:
        return translate("EnrolAdvice", "One more in another light, or with glasses if they are worn now and then.")
    return translate("EnrolAdvice", "That is enough. Pictures from other days make it steadier still.")


def _voice_advice(draft: Draft) -> str:
    seconds = draft.speech_seconds()
    if seconds == 0:
        return translate("EnrolAdvice", "Speak a few sentences as you usually do, about ten seconds in a quiet room.")
    if seconds < ENOUGH_SPEECH:
        return translate("EnrolAdvice", "{seconds} s of speech so far; about ten make a steadier reference.").format(
            seconds=f"{seconds:.0f}"
        )
    return translate(
        "EnrolAdvice", "That is enough. A recording from another day or microphone makes it steadier still."
    )
