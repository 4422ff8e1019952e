"""One sample of a pair: the face, or the recording with a button to play it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QUrl, Signal
from PySide6.QtWidgets import QStackedWidget, QWidget

from verify_app.domain import Modality
from verify_app.gui.images import pixmap_from_bytes
from verify_app.gui.text import translate
from verify_app.gui.widgets.basic import button, column, label, row
from verify_app.gui.widgets.face_view import Picture
from verify_app.gui.widgets.spectrogram import SpectrogramView
from verify_app.reasons import Reason
from verify_app.services import people
from verify_app.services.application import Application
from verify_app.services.samples import SampleOutcome, examine
from verify_app.services.trial_sets import LabelledSample

if TYPE_CHECKING:
    from PySide6.QtMultimedia import QMediaPlayer

    from verify_app.gui.session import Session

SIZE = 150


class SampleSide(QWidget):
    """Shows a sample by loading it in the background; a stored sample shows its thumbnail, as nothing else is kept.

    Signals:
        played: its recording begins to play.
    """

    played = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._sample: LabelledSample | None = None
        self._player: QMediaPlayer | None = None
        self.picture = Picture(SIZE, SIZE)
        self.recording = SpectrogramView(SIZE - 40)
        self.recording.setMinimumWidth(180)
        self.play_button = button(translate("SampleSide", "Play"), self._play, icon="play")
        voice = QWidget()
        voice.setLayout(column(self.recording, row(self.play_button, 1), gap=6))
        face = QWidget()
        face.setLayout(column(row(self.picture, 1), 1))
        self._stack = QStackedWidget()
        for page in (face, voice):
            self._stack.addWidget(page)
        self._name = label("", "h3", wrap=True)
        self._file = label("", "small", wrap=True)
        self.setLayout(column(self._stack, self._name, self._file, gap=4))

    def show_sample(self, sample: LabelledSample, modality: str) -> None:
        """Show a sample."""
        if sample == self._sample:
            return
        self._sample = sample
        self._name.setText(sample.subject)
        self._file.setText("" if sample.stored else Path(sample.name).name)
        self._file.setToolTip("" if sample.stored else sample.name)
        self.stop()
        self.picture.show_array(None)
        voice = modality == Modality.VOICE
        self.recording.setVisible(False)
        self.play_button.setVisible(not sample.stored)
        if sample.stored and voice:
            self._file.setText(
                translate(
                    "SampleSide",
                    "Recordings of enrolled people are not kept, so there is nothing to play. "
                    "Load a folder or a table of trials to listen to pairs.",
                )
            )
        self._stack.setCurrentIndex(1 if voice else 0)
        if modality not in [one.value for one in Modality]:
            self._file.setText(sample.name)  # embeddings alone: there is nothing to see or to hear
            self.play_button.setVisible(False)
        elif sample.stored:
            self._session.run(self, lambda app, _p, _c: _thumbnail(app, sample), self._show_thumbnail, self._fail)
        else:
            kind = Modality(modality)
            self._session.run(
                self,
                lambda app, _p, _c: examine(app, [sample.name], modality=kind),
                lambda outcomes: self._show(sample, outcomes),
                self._fail,
            )

    def _show_thumbnail(self, data: bytes | None) -> None:
        self.picture.show_pixmap(pixmap_from_bytes(data))

    def _show(self, sample: LabelledSample, outcomes: tuple[SampleOutcome, ...]) -> None:
        if sample is not self._sample or not outcomes:
            return  # another pair was chosen in the meantime
        outcome = outcomes[0]
        if outcome.modality is Modality.VOICE and outcome.sample is not None:
            self.recording.setVisible(True)
            self.recording.show_recording(outcome.sample.data, getattr(outcome.analysis, "segments", ()))
        elif outcome.crop is not None:
            self.picture.show_array(outcome.crop)
        elif outcome.sample is not None:
            self.picture.show_array(outcome.sample.data)

    def _fail(self, reason: Reason) -> None:
        self._file.setText(reason.message)

    @property
    def text(self) -> str:
        """What it says of the sample."""
        return self._file.text()

    def _play(self) -> None:
        """Play the recording, or stop it when it plays."""
        if self._sample is None:
            return
        from PySide6.QtMultimedia import QAudioOutput, QMediaPlayer

        if self._player is None:
            self._player = QMediaPlayer(self)
            self._player.setAudioOutput(QAudioOutput(self))
            self._player.playingChanged.connect(self._show_playing)
        if self._player.isPlaying():
            self._player.stop()
            return
        self.played.emit()
        self._player.setSource(QUrl.fromLocalFile(self._sample.name))
        self._player.play()

    def stop(self) -> None:
        """Stop playing."""
        if self._player is not None:
            self._player.stop()

    def _show_playing(self, playing: bool) -> None:
        self.play_button.setText(translate("SampleSide", "Stop") if playing else translate("SampleSide", "Play"))


def _thumbnail(app: Application, sample: LabelledSample) -> bytes | None:
    _, samples = people.show(app, sample.subject)
    return next((one.thumbnail for one in samples if one.id == sample.name), None)
