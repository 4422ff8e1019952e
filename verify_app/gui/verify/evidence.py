"""What a decision was made from: the face or the recording, its quality, and its score."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QHBoxLayout, QWidget

from verify_app.domain import Comparison, Modality
from verify_app.gui import words
from verify_app.gui.text import translate
from verify_app.gui.widgets.basic import Card, IconLabel, column, label, line, row
from verify_app.gui.widgets.face_view import FaceView, Picture
from verify_app.gui.widgets.notice import Notice
from verify_app.gui.widgets.quality import QualityView
from verify_app.gui.widgets.scales import ScoreScale
from verify_app.gui.widgets.spectrogram import SpectrogramView
from verify_app.services.samples import SampleOutcome


class ModalityCard(Card):
    """Everything about one modality: sample, findings, quality, score."""

    def __init__(self, modality: Modality, outcomes: Sequence[SampleOutcome], comparison: Comparison | None) -> None:
        super().__init__()
        head = row(IconLabel(modality.value, 22, "accent"), label(words.modality_name(modality), "h2"), 1, gap=8)
        if comparison is not None:
            head.addWidget(label(_basis(comparison), "small"))
        self.body.addLayout(head)
        for outcome in sorted(outcomes, key=lambda one: not one.accepted)[:1]:
            self.body.addWidget(sample_view(outcome))
        if comparison is not None:
            self.body.addWidget(line())
            self.body.addWidget(_score(comparison))
        rest = [outcome for outcome in outcomes if not outcome.accepted]
        for outcome in rest[:3]:
            if outcome.reason is not None:
                notice = Notice()
                notice.explain(words.shorter(outcome.reason, outcome.source))
                self.body.addWidget(notice)
        more = len(outcomes) - 1
        if more > 0:
            self.body.addWidget(label(translate("ModalityCard", "and %n more sample(s)", n=more), "small"))


def sample_view(outcome: SampleOutcome) -> QWidget:
    """The sample with what was found in it and its quality."""
    made = QWidget()
    content = column(gap=12)
    if outcome.modality is Modality.FACE:
        content.addLayout(_face(outcome))
    elif outcome.sample is not None:
        view = SpectrogramView()
        view.show_recording(outcome.sample.data, getattr(outcome.analysis, "segments", ()))
        content.addWidget(view)
    if outcome.quality is not None:
        quality = QualityView()
        quality.show_quality(outcome.quality)
        content.addWidget(quality)
    made.setLayout(content)
    return made


def _face(outcome: SampleOutcome) -> QHBoxLayout:
    view = FaceView()
    analysis = outcome.analysis
    if outcome.sample is not None:
        view.show_face(outcome.sample.data, getattr(analysis, "box", None), getattr(analysis, "landmarks", None))
    layout = row(gap=14)
    layout.addWidget(view, 1)
    if outcome.crop is not None:
        crop = Picture(132, 132)
        crop.show_array(outcome.crop)
        crop.setAccessibleName(translate("ModalityCard", "Aligned face"))
        layout.addLayout(column(crop, label(translate("ModalityCard", "What the encoder sees"), "small"), 1, gap=6))
    return layout


def _score(comparison: Comparison) -> QWidget:
    scale = ScoreScale()
    scale.show_score(comparison.score, comparison.threshold)
    holder = QWidget()
    layout = column(scale, gap=6)
    if comparison.predicted_fmr is not None:
        rate = comparison.predicted_fmr
        text = label(f"{words.rate_sentence(rate)} ({words.interval_phrase(rate)}).", "muted", wrap=True)
        layout.addWidget(text)
    holder.setLayout(layout)
    return holder


def _basis(comparison: Comparison) -> str:
    references = translate("ModalityCard", "%n reference(s)", n=comparison.references)
    return f"{comparison.similarity}, {references}"
