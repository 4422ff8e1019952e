"""A map of embeddings: people who are close together are easily confused."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtGui import QColor

from verify_app.gui import theme
from verify_app.gui.calibration.plots import Plot
from verify_app.gui.text import translate
from verify_app.gui.theme import Theme
from verify_app.services.bench.maps import EmbeddingMap

SYMBOLS = ("o", "s", "t", "d", "star")


class MapPlot(Plot):
    """Points in two dimensions, one colour and symbol per person."""

    def __init__(self) -> None:
        self._points = pg.ScatterPlotItem(size=9, hoverable=True, tip=lambda x, y, data: str(data))
        super().__init__(
            translate("MapPlot", "Map of the embeddings, coloured by person"),
            translate("MapPlot", "first main component"),
            translate("MapPlot", "second main component"),
        )
        self.addItem(self._points)
        self.setAspectLocked(True)

    def paint_in(self, colours: Theme) -> None:
        """Take over a theme's colours."""
        super().paint_in(colours)
        self._points.setPen(pg.mkPen(colours.surface, width=1))

    def show_map(self, drawn: EmbeddingMap) -> None:
        """Show some of the measured people."""
        names, codes = np.unique(drawn.subjects, return_inverse=True)
        count = max(1, names.size)
        value = 190 if theme.current().name == "light" else 235
        self._points.setData(
            x=drawn.coordinates[:, 0],
            y=drawn.coordinates[:, 1],
            brush=[pg.mkBrush(QColor.fromHsv(int(360 * code / count), 150, value)) for code in codes],
            symbol=[SYMBOLS[code % len(SYMBOLS)] for code in codes],
            data=[str(names[code]) for code in codes],
        )
        self.autoRange(padding=0.06)
        bottom = translate("MapPlot", "only who is next to whom means something")
        left = ""
        if drawn.share is not None:
            share = translate("MapPlot", "first main component ({share} % of the variance with the second)")
            bottom = share.format(share=round(100 * drawn.share))
            left = translate("MapPlot", "second main component")
        self.getAxis("bottom").setLabel(bottom)
        self.getAxis("left").setLabel(left)
