"""The samples that were given: one line each, with a picture or an icon, the name and a button to take it out."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QWidget

from verify_app.domain import Modality, Sample
from verify_app.gui.text import translate
from verify_app.gui.widgets.basic import Card, IconLabel, clear, column, icon_button, label, row
from verify_app.gui.widgets.drop_zone import AUDIO, VIDEO
from verify_app.gui.widgets.face_view import Picture
from verify_app.services.samples import SampleInput


class SampleTray(QWidget):
    """Holds samples in the order they were given.

    Signals:
        changed: a sample was added or taken out.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.items: list[SampleInput] = []
        self._lines = column(gap=6)
        self.setLayout(self._lines)
        self.setVisible(False)

    def add(self, *items: SampleInput) -> None:
        """Add samples; a file that is there already is not added again."""
        for item in items:
            if isinstance(item, Sample) or item not in self.items:
                self.items.append(item)
        self._show()

    def reset(self) -> None:
        """Take everything out."""
        self.items.clear()
        self._show()

    def _remove(self, item: SampleInput) -> None:
        self.items = [other for other in self.items if other is not item]
        self._show()

    def _show(self) -> None:
        clear(self._lines)
        for item in self.items:
            self._lines.addWidget(self._line(item))
        self.setVisible(bool(self.items))
        self.changed.emit()

    def _line(self, item: SampleInput) -> QWidget:
        name, icon = describe(item)
        picture: QWidget = IconLabel(icon, 22)
        if isinstance(item, Sample) and item.modality is Modality.FACE:
            shown = Picture(36, 36)
            shown.show_array(item.data)
            picture = shown
        text = label()
        text.setText(QFontMetrics(text.font()).elidedText(name, Qt.TextElideMode.ElideMiddle, 200))
        text.setToolTip(str(item) if not isinstance(item, Sample) else name)
        remove = icon_button(
            "cross", translate("SampleTray", "Take out {name}").format(name=name), lambda: self._remove(item)
        )
        line = Card(role="sunken", margin=0)
        content = row(picture, text, 1, remove, gap=10)
        content.setContentsMargins(10, 6, 6, 6)
        line.body.addLayout(content)
        return line


def describe(item: SampleInput) -> tuple[str, str]:
    """A sample's name for people and the icon of its kind."""
    if isinstance(item, Sample):
        names = {
            "camera": translate("SampleTray", "Picture from the camera"),
            "microphone": translate("SampleTray", "Recording from the microphone"),
        }
        return names.get(item.source, Path(item.source).name), item.modality.value
    path = Path(item)
    suffix = f"*{path.suffix.lower()}"
    icon = "voice" if suffix in AUDIO.split() else "camera" if suffix in VIDEO.split() else "face"
    return path.name, icon
