"""The three plots: score histograms with the threshold line, the error trade-off, and reliability."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor

from verify_app.evaluation.det import DetCurve, probit
from verify_app.evaluation.live import Reading
from verify_app.gui import theme, words
from verify_app.gui.calibration.readings import Histogram, Reliability
from verify_app.gui.text import translate
from verify_app.gui.theme import Theme

FLOOR = 1e-5
CURVES = ("accent", "warn", "good", "bad", "text")
STYLES = (Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine, Qt.PenStyle.DotLine)
DET_TICKS = (1e-5, 1e-4, 1e-3, 1e-2, 0.05, 0.2, 0.5)


class Plot(pg.PlotWidget):  # type: ignore[misc]
    """A plot in the window's colours that the mouse cannot scroll away."""

    def __init__(self, name: str, x: str, y: str) -> None:
        super().__init__()
        self._names = {"bottom": x, "left": y}
        self.setAccessibleName(name)
        self.setMenuEnabled(False)
        self.setMouseEnabled(False, False)
        self.hideButtons()
        self.setFrameShape(self.Shape.NoFrame)
        theme.on_change(self, self.paint_in)

    def paint_in(self, colours: Theme) -> None:
        """Take over a theme's colours."""
        self.setBackground(colours.surface)
        for side, name in self._names.items():
            axis = self.getAxis(side)
            axis.enableAutoSIPrefix(False)
            axis.setPen(pg.mkPen(colours.border))
            axis.setTextPen(pg.mkPen(colours.muted))
            axis.setLabel(name, color=colours.muted, siPrefixEnableRanges=())
            axis.setStyle(tickLength=-4)


def _filled(colour: QColor) -> tuple[object, object]:
    soft = QColor(colour)
    soft.setAlpha(70)
    return pg.mkPen(colour, width=2), pg.mkBrush(soft)


class HistogramPlot(Plot):
    """Mated and non-mated scores with a line that can be dragged.

    Signals:
        previewed: the line is moving; its threshold.
        committed: the line was let go; its threshold.
    """

    previewed = Signal(float)
    committed = Signal(float)

    def __init__(self) -> None:
        self._mated = pg.PlotCurveItem([0.0, 1.0], [0.0], stepMode="center", fillLevel=0)
        self._non_mated = pg.PlotCurveItem([0.0, 1.0], [0.0], stepMode="center", fillLevel=0)
        self.line = pg.InfiniteLine(movable=True, angle=90)
        super().__init__(
            translate("HistogramPlot", "Distribution of mated and non-mated scores with the threshold"),
            translate("HistogramPlot", "score"),
            translate("HistogramPlot", "density"),
        )
        for item in (self._non_mated, self._mated, self.line):
            self.addItem(item)
        self.getAxis("left").setStyle(showValues=False)
        self.paint_in(theme.current())
        self.line.setCursor(Qt.CursorShape.SizeHorCursor)
        self.line.sigDragged.connect(lambda line: self.previewed.emit(float(line.value())))
        self.line.sigPositionChangeFinished.connect(lambda line: self.committed.emit(float(line.value())))

    def paint_in(self, colours: Theme) -> None:
        """Take over a theme's colours."""
        super().paint_in(colours)
        for item, role in ((self._mated, "good"), (self._non_mated, "bad")):
            pen, brush = _filled(colours.colour(role))
            item.setPen(pen)
            item.setBrush(brush)
        self.line.setPen(pg.mkPen(colours.text, width=2))
        self.line.setHoverPen(pg.mkPen(colours.accent, width=4))

    def show_histogram(self, histogram: Histogram) -> None:
        """Show the two distributions."""
        self._mated.setData(histogram.edges, histogram.mated)
        self._non_mated.setData(histogram.edges, histogram.non_mated)
        span = histogram.edges[-1] - histogram.edges[0]
        self.line.setBounds((histogram.edges[0] - 0.02 * span, histogram.edges[-1] + 0.02 * span))
        top = max(histogram.mated.max(), histogram.non_mated.max())
        self.setXRange(histogram.edges[0] - 0.02 * span, histogram.edges[-1] + 0.02 * span, padding=0)
        self.setYRange(0, top * 1.08, padding=0)

    def move_line(self, threshold: float) -> None:
        """Put the line somewhere without telling anybody."""
        low, high = self.line.maxRange
        if low is not None and high is not None:
            threshold = min(max(threshold, low), high)
        self.line.blockSignals(True)
        self.line.setValue(threshold)
        self.line.blockSignals(False)


class DetPlot(Plot):
    """The error trade-off on probit axes, with the operating point; a second curve can be laid over it."""

    def __init__(self) -> None:
        self._curves: list[pg.PlotCurveItem] = []
        self._point = pg.ScatterPlotItem(size=13)
        self._bars = pg.ErrorBarItem(beam=0.06)
        self._legend: pg.LegendItem | None = None
        super().__init__(
            translate("DetPlot", "Detection error trade-off with the operating point"),
            translate("DetPlot", "false matches (FMR)"),
            translate("DetPlot", "false non-matches (FNMR)"),
        )
        for item in (self._bars, self._point):
            item.setZValue(10)
            self.addItem(item)
        ticks = [(float(probit(np.array([rate]), FLOOR)[0]), words.percent(rate)) for rate in DET_TICKS]
        for side in ("bottom", "left"):
            self.getAxis(side).setTicks([ticks])
        self.showGrid(x=True, y=True, alpha=0.15)
        edge = float(probit(np.array([FLOOR]), FLOOR)[0])
        self.setXRange(edge, 0.3, padding=0.02)
        self.setYRange(edge, 0.3, padding=0.02)
        self._legend = self.addLegend(offset=(-12, 8))
        self.paint_in(theme.current())

    def paint_in(self, colours: Theme) -> None:
        """Take over a theme's colours."""
        super().paint_in(colours)
        for place, curve in enumerate(self._curves):
            colour = colours.colour(CURVES[place % len(CURVES)])
            style = STYLES[place // len(CURVES) % len(STYLES)]
            curve.setPen(pg.mkPen(colour, width=2.4, style=style))
        self._point.setPen(pg.mkPen(colours.surface, width=2))
        self._point.setBrush(pg.mkBrush(colours.text))
        self._bars.setOpts(pen=pg.mkPen(colours.muted, width=1.5))
        if self._legend is not None:
            self._legend.setLabelTextColor(colours.text)

    def show_curves(self, curves: Sequence[tuple[str, DetCurve]]) -> None:
        """Show named curves; one alone needs no legend."""
        if self._legend is not None:
            self._legend.clear()
        for item in self._curves:
            self.removeItem(item)
        self._curves = [pg.PlotCurveItem(*curve.probit(FLOOR)) for _name, curve in curves]
        for item, (name, _curve) in zip(self._curves, curves, strict=True):
            self.addItem(item)
            if len(curves) > 1 and self._legend is not None:
                self._legend.addItem(item, name)
        self.paint_in(theme.current())

    def show_point(self, reading: Reading) -> None:
        """Mark where the threshold is, with the intervals of both rates."""
        fmr = probit(np.array([reading.fmr.value, reading.fmr.low, reading.fmr.high]), FLOOR)
        fnmr = probit(np.array([reading.fnmr.value, reading.fnmr.low, reading.fnmr.high]), FLOOR)
        self._point.setData([fmr[0]], [fnmr[0]])
        self._bars.setData(
            x=fmr[:1],
            y=fnmr[:1],
            left=fmr[:1] - fmr[1:2],
            right=fmr[2:] - fmr[:1],
            bottom=fnmr[:1] - fnmr[1:2],
            top=fnmr[2:] - fnmr[:1],
        )


class ReliabilityPlot(Plot):
    """Predicted against measured probability: on the diagonal a calibration means what it says."""

    def __init__(self) -> None:
        self._diagonal = pg.PlotCurveItem([0, 1], [0, 1])
        self._points = pg.ScatterPlotItem(size=9)
        self._bars = pg.ErrorBarItem(beam=0.015)
        super().__init__(
            translate("ReliabilityPlot", "Reliability: predicted against measured probability"),
            translate("ReliabilityPlot", "predicted probability of the same person"),
            translate("ReliabilityPlot", "measured share"),
        )
        for item in (self._diagonal, self._bars, self._points):
            self.addItem(item)
        self.showGrid(x=True, y=True, alpha=0.15)
        self.setXRange(0, 1, padding=0.03)
        self.setYRange(0, 1, padding=0.03)
        self.paint_in(theme.current())

    def paint_in(self, colours: Theme) -> None:
        """Take over a theme's colours."""
        super().paint_in(colours)
        self._diagonal.setPen(pg.mkPen(colours.muted, width=1.5, style=Qt.PenStyle.DashLine))
        self._points.setPen(pg.mkPen(colours.surface, width=1.5))
        self._points.setBrush(pg.mkBrush(colours.accent))
        self._bars.setOpts(pen=pg.mkPen(colours.accent, width=1.5))

    def show_reliability(self, found: Reliability) -> None:
        """Show the bins."""
        self._points.setData(found.predicted, found.measured)
        self._bars.setData(
            x=found.predicted, y=found.measured, top=found.high - found.measured, bottom=found.measured - found.low
        )


def score_step(low: float, high: float) -> float:
    """A step for typing thresholds: about a thousandth of the range, as a power of ten."""
    span: NDArray[np.float64] | float = max(high - low, 1e-12)
    return float(10 ** round(math.log10(float(span) / 1000)))
