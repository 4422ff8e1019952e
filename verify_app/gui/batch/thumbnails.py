"""Thumbnails of results, made in the background for the rows in sight."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QPixmap

from verify_app.domain import ImageArray, Modality
from verify_app.gui.images import pixmap_from_array
from verify_app.gui.session import Session
from verify_app.reasons import Reason
from verify_app.services.application import Application
from verify_app.services.batch.locate import place_finder, sides
from verify_app.services.jobs import CancelledCheck, ProgressCallback

KEPT = 1000
AT_ONCE = 12
SIDE = 36


class Thumbnails(QObject):
    """Pictures by name of the file; what was asked for last is made first, for it is what is in sight now.

    Signals:
        ready: pictures arrived.
    """

    ready = Signal()

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._pictures: OrderedDict[str, QPixmap | None] = OrderedDict()
        self._wanted: OrderedDict[str, None] = OrderedDict()
        self._modality, self._sources, self._folder = Modality.FACE, list[str](), Path()
        self._busy = False
        self._turn = 0

    def begin(self, folder: Path, summary: dict[str, Any]) -> None:
        """Show pictures of another job, whose results are in this folder."""
        self._folder = folder
        self._modality = Modality(summary["modality"])
        self._sources = sides(summary["kind"], summary["sources"])[0]
        self._pictures.clear()
        self._wanted.clear()
        self._turn += 1

    def picture(self, name: str) -> QPixmap | None:
        """The picture if it is there; otherwise it is made, and :attr:`ready` tells."""
        if name in self._pictures:
            self._pictures.move_to_end(name)
            return self._pictures[name]
        self._wanted[name] = None
        self._wanted.move_to_end(name)
        while len(self._wanted) > 200:
            self._wanted.popitem(last=False)
        self._start()
        return None

    def _start(self) -> None:
        if self._busy or not self._wanted:
            return
        names = [self._wanted.popitem()[0] for _ in range(min(AT_ONCE, len(self._wanted)))]
        self._busy = True
        turn = self._turn
        self._session.run(
            self,
            _maker(self._modality, self._sources, self._folder, names),
            lambda made: self._show(turn, made),
            self._failed,
        )

    def _show(self, turn: int, made: dict[str, ImageArray | None]) -> None:
        self._busy = False
        if turn == self._turn:
            for name, image in made.items():
                self._pictures[name] = None if image is None else _small(image)
            while len(self._pictures) > KEPT:
                self._pictures.popitem(last=False)
            self.ready.emit()
        self._start()

    def _failed(self, _reason: Reason) -> None:
        self._busy = False  # a table without pictures is still a table


def _maker(
    modality: Modality, sources: list[str], folder: Path, names: list[str]
) -> Callable[[Application, ProgressCallback, CancelledCheck], dict[str, ImageArray | None]]:
    def make(app: Application, _progress: ProgressCallback, cancelled: CancelledCheck) -> dict[str, ImageArray | None]:
        from verify_app.services.batch.previews import thumbnail

        places = place_finder(folder)
        return {name: None if cancelled() else thumbnail(app, modality, sources, name, places) for name in names}

    return make


def _small(image: ImageArray) -> QPixmap:
    made = pixmap_from_array(image).scaled(
        2 * SIDE, 2 * SIDE, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation
    )
    made.setDevicePixelRatio(2.0)
    return made
