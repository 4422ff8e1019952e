"""What the guided enrolment keeps and what it asks for next."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from verify_app.domain import Contract, Embedding, Modality, Quality, Sample
from verify_app.gui.enrol.draft import Draft, advice
from verify_app.reasons import Reason, ReasonCode
from verify_app.services.samples import SampleOutcome

GOOD = Quality(0.9)


def outcome(
    number: int, modality: Modality = Modality.FACE, *, seconds: float = 4.0, quality: Quality = GOOD
) -> SampleOutcome:
    digest = f"{number:064x}"
    sample = Sample(modality, np.zeros((4, 4, 3), np.uint8), f"{number}.png", digest)
    contract = Contract("e", "0" * 64, "p", 2, "l2")
    embedding = Embedding(np.ones(2, np.float32), contract, modality, quality, digest)
    analysis = SimpleNamespace(quality=quality, speech_seconds=seconds)
    return SampleOutcome(sample.source, modality, sample, analysis, embedding)  # type: ignore[arg-type]


def refused(code: ReasonCode = ReasonCode.FACE_TOO_DARK) -> SampleOutcome:
    return SampleOutcome("x.png", Modality.FACE, reason=Reason(code, "The face is too dark.", "Switch a light on."))


def test_the_same_sample_twice_counts_once() -> None:
    draft = Draft("Ada")
    assert draft.add((outcome(1), outcome(2))) == 2
    assert draft.add((outcome(1), outcome(3))) == 1
    assert [one.source for one in draft.accepted()] == ["1.png", "2.png", "3.png"]


def test_refused_samples_are_shown_and_not_kept() -> None:
    draft = Draft("Ada")
    draft.add((refused(), outcome(1)))
    assert len(draft.of(Modality.FACE)) == 2
    assert len(draft.samples()) == 1


def test_a_sample_can_be_taken_out() -> None:
    draft = Draft("Ada")
    draft.add((outcome(1), outcome(2)))
    draft.remove(draft.outcomes[0])
    assert [one.source for one in draft.outcomes] == ["2.png"]


def test_the_advice_goes_on_as_samples_come_in() -> None:
    draft = Draft("Ada")
    said = [advice(draft, Modality.FACE)]
    for number in range(4):
        draft.add((outcome(number),))
        said.append(advice(draft, Modality.FACE))
    assert len(set(said[:4])) == 4
    assert said[3] == said[4]


def test_a_refusal_is_answered_first() -> None:
    draft = Draft("Ada")
    draft.add((outcome(1), refused()))
    assert advice(draft, Modality.FACE) == "Switch a light on."


def test_a_weakness_is_named_first() -> None:
    weak = Quality(0.4, reasons=(Reason(ReasonCode.FACE_TURNED, "The face is turned.", "Look straight."),))
    draft = Draft("Ada")
    draft.add((outcome(1, quality=weak),))
    assert "Look straight." in advice(draft, Modality.FACE)


@pytest.mark.parametrize(("seconds", "word"), [(4.0, "4 s"), (12.0, "enough")])
def test_the_voice_is_asked_for_until_there_is_enough(seconds: float, word: str) -> None:
    draft = Draft("Ada")
    assert "sentences" in advice(draft, Modality.VOICE)
    draft.add((outcome(1, Modality.VOICE, seconds=seconds),))
    assert word in advice(draft, Modality.VOICE)
