"""The map of the people, by the method chosen, drawn in the background."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QProgressBar, QWidget

from verify_app.gui.bench.map_plot import MapPlot
from verify_app.gui.session import Session
from verify_app.gui.text import translate
from verify_app.gui.widgets.basic import button, column, label, row
from verify_app.gui.widgets.notice import Notice
from verify_app.gui.work import Task
from verify_app.reasons import Reason, ReasonCode
from verify_app.services.bench.maps import PCA, TSNE, UMAP, EmbeddingMap, methods_installed, redrawn
from verify_app.services.jobs import Progress


class PeopleMap(QWidget):
    """A choice of methods above the map.

    Signals:
        drawn: the :class:`EmbeddingMap` that is shown now, or the :class:`Reason` why there is none.
    """

    drawn = Signal(object)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._components: EmbeddingMap | None = None
        self.shown: EmbeddingMap | None = None
        self._task: Task | None = None
        self.method = QComboBox()
        self.method.setAccessibleName(translate("PeopleMap", "Kind of map"))
        names = {
            PCA: translate("PeopleMap", "Main components"),
            TSNE: translate("PeopleMap", "Neighbours (t-SNE)"),
            UMAP: translate("PeopleMap", "Neighbours (UMAP)"),
        }
        for one in methods_installed():
            self.method.addItem(names[one], one)
        self.method.activated.connect(lambda _index: self.draw())
        self._progress = QProgressBar()
        self._progress.setTextVisible(False)
        self._progress.setFixedWidth(120)
        self.cancel_button = button(translate("PeopleMap", "Cancel"), self.cancel)
        self.notice = Notice(closable=True)
        self.plot = MapPlot()
        head = row(label(translate("PeopleMap", "Map by")), self.method, self._progress, self.cancel_button, 1, gap=10)
        layout = column(head, self.notice, gap=6, margin=6)
        layout.addWidget(self.plot, 1)
        self.setLayout(layout)
        self._waiting(False)

    def show_map(self, components: EmbeddingMap) -> None:
        """Other people, on their main components."""
        self.cancel()
        self._components = components
        self.method.setCurrentIndex(0)
        self._show(components)

    def draw(self) -> None:
        """Draw the map by the method chosen."""
        components, method = self._components, str(self.method.currentData())
        self.cancel()
        self.notice.hide()
        if components is None:
            return
        if method == PCA:
            self._show(components)
            return
        self._waiting(True)
        self._task = self._session.run(
            self,
            lambda _app, progress, cancelled: redrawn(components, method, progress=progress, cancelled=cancelled),
            self._show,
            self._fail,
            self._report,
        )

    def cancel(self) -> None:
        """Stop drawing; the map that is there stays."""
        if self._task is not None:
            self._task.cancel()

    def _report(self, progress: Progress) -> None:
        self._progress.setRange(0, progress.total if progress.total > 1 else 0)
        self._progress.setValue(progress.done)

    def _waiting(self, on: bool) -> None:
        self._progress.setRange(0, 0)
        self._progress.setVisible(on)
        self.cancel_button.setVisible(on)
        if not on:
            self._task = None

    def _show(self, drawn: EmbeddingMap) -> None:
        self._waiting(False)
        self.shown = drawn
        self.plot.show_map(drawn)
        self.drawn.emit(drawn)

    def _fail(self, reason: Reason) -> None:
        self._waiting(False)
        if self.shown is not None:
            self.method.setCurrentIndex(self.method.findData(self.shown.method))
        if reason.code is not ReasonCode.CANCELLED:
            self.notice.explain(reason)
        self.drawn.emit(reason)
