"""One sample to judge by eye or ear: a face, a recording with a player, or what is stored of a person."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPixmap
from PySide6.QtWidgets import QSizePolicy, QWidget

from verify_app.domain import FloatArray
from verify_app.gui import theme
from verify_app.gui.images import pixmap_from_array, pixmap_from_bytes
from verify_app.gui.text import translate
from verify_app.gui.widgets.basic import Card, button, label, row
from verify_app.gui.widgets.spectrogram import SpectrogramView
from verify_app.services.batch.previews import Preview

GAP = 6


class _Pictures(QWidget):
    """One picture as large as there is room, or a few beside each other."""

    def __init__(self) -> None:
        super().__init__()
        self._pictures: list[QPixmap] = []
        self.setMinimumHeight(180)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def show_pictures(self, pictures: Sequence[QPixmap]) -> None:
        self._pictures = [one for one in pictures if not one.isNull()]
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw them."""
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        count = len(self._pictures)
        if not count:
            painter.setPen(theme.current().colour("muted"))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, translate("SampleView", "Nothing to show"))
            painter.end()
            return
        across = 1 if count == 1 else 2
        down = -(-count // across)
        width = (self.width() - GAP * (across - 1)) / across
        height = (self.height() - GAP * (down - 1)) / down
        for number, picture in enumerate(self._pictures):
            cell = QRectF((number % across) * (width + GAP), (number // across) * (height + GAP), width, height)
            # No larger than four times its pixels: more shows nothing but the pixels.
            scale = min(cell.width() / picture.width(), cell.height() / picture.height(), 4.0)
            target = QRectF(QPointF(), QRectF(picture.rect()).size() * scale)
            target.moveCenter(cell.center())
            painter.drawPixmap(target, picture, QRectF(picture.rect()))
        painter.end()


class SampleView(Card):
    """A named sample."""

    def __init__(self) -> None:
        self.name = label("", "h3", wrap=True)
        self.pictures = _Pictures()
        self.sound = SpectrogramView()
        self.play_button = button(translate("SampleView", "Play"), self.play, icon="play")
        self.note = label("", "small", wrap=True)
        self._audio: FloatArray | None = None
        super().__init__(self.name, gap=8)
        self.body.addWidget(self.pictures, 1)
        self.body.addWidget(self.sound)
        self.body.addLayout(row(self.play_button, self.note, gap=8))
        self.body.addStretch(0)  # a recording has no pictures to fill the card
        self.clear_sample()

    def clear_sample(self) -> None:
        """Show nothing."""
        self.name.clear()
        self.note.clear()
        self.pictures.show_pictures([])
        self.sound.hide()
        self.play_button.hide()
        self._audio = None

    def show_sample(self, name: str, preview: Preview | None, thumbnails: Sequence[bytes] = ()) -> None:
        """Show a file, or the stored thumbnails of a person."""
        self.clear_sample()
        self.name.setText(name)
        self.setAccessibleName(name)
        if preview is not None and preview.audio is not None:
            self.pictures.hide()
            self._audio = preview.audio
            self.sound.show_recording(preview.audio, preview.segments)
            self.sound.show()
            self.play_button.show()
        elif preview is not None and preview.picture is not None:
            self.pictures.show()
            self.pictures.show_pictures([pixmap_from_array(preview.picture)])
        else:
            self.pictures.show()
            self.pictures.show_pictures([pixmap_from_bytes(one) for one in thumbnails][:4])
            if not thumbnails:
                self.note.setText(translate("SampleView", "No picture or recording of this is stored."))

    def play(self) -> None:
        """Play the recording."""
        if self._audio is None:
            return
        try:
            import sounddevice

            sounddevice.stop()
            sounddevice.play(self._audio, 16_000)
        except Exception as error:  # noqa: BLE001 - whatever the sound system says, the window stays usable
            self.note.setText(translate("SampleView", "It cannot be played here: {why}.").format(why=error))
