"""The report of a calibration: one HTML page with its figures, and the same as PDF."""

from __future__ import annotations

import base64
import html
import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QMarginsF, QUrl
from PySide6.QtGui import QImage, QPageLayout, QPageSize, QPdfWriter, QTextDocument

from verify_app import __version__
from verify_app.evaluation.live import Reading
from verify_app.gui import words
from verify_app.gui.calibration.plots import DET_TICKS, FLOOR
from verify_app.gui.calibration.worksheet import Worksheet
from verify_app.gui.text import translate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLE = """
body { font-family: sans-serif; color: #15202c; max-width: 820px; margin: 32px auto; line-height: 1.45; }
h1 { font-size: 22px; } h2 { font-size: 16px; margin-top: 22px; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; padding: 5px 10px 5px 0; }
th { color: #566473; font-weight: normal; border-bottom: 1px solid #dde3ea; } img { max-width: 100%; }
.muted { color: #566473; }
"""


@dataclass(frozen=True, slots=True)
class Report:
    """A page of HTML whose images are named ``{name}.png``, and the images as PNG."""

    body: str
    images: dict[str, bytes]

    @property
    def html(self) -> str:
        """The page with its images inside."""
        text = self.body
        for name, data in self.images.items():
            text = text.replace(f"{name}.png", f"data:image/png;base64,{base64.b64encode(data).decode()}")
        return text


def build(sheet: Worksheet, reading: Reading) -> Report:
    """The report of a worksheet at a threshold. Takes about a second; call it off the window's thread."""
    images = {"histogram": _png(_histogram(sheet, reading)), "det": _png(_det(sheet, reading))}
    images["reliability"] = _png(_reliability(sheet))
    title = translate("Report", "Calibration report")
    parts = [
        f"<!doctype html><html><head><meta charset='utf-8'><title>{title}</title><style>{STYLE}</style></head><body>",
        f"<h1>{title}</h1>",
        _table(_facts(sheet)),
        f"<h2>{translate('Report', 'The threshold')}</h2>",
        _table(_threshold(reading)),
        "<p><img src='histogram.png' width='640'></p>",
        f"<h2>{translate('Report', 'Operating points')}</h2>",
        _points(sheet),
        f"<h2>{translate('Report', 'Error trade-off')}</h2><p><img src='det.png' width='440'></p>",
        f"<h2>{translate('Report', 'Reliability')}</h2><p><img src='reliability.png' width='440'></p>",
        "</body></html>",
    ]
    return Report("\n".join(parts), images)


def write_html(report: Report, file: Path) -> Path:
    """Write the page; raises OSError."""
    file.write_text(report.html, encoding="utf-8")
    return file


def write_pdf(report: Report, file: Path) -> Path:
    """Print the page on A4; raises OSError."""
    with file.open("wb"):
        pass  # Qt would only warn about a file it cannot write
    writer = QPdfWriter(str(file))
    writer.setPageSize(QPageSize(QPageSize.PageSizeId.A4))
    writer.setPageMargins(QMarginsF(18, 18, 18, 18), QPageLayout.Unit.Millimeter)
    writer.setResolution(96)
    writer.setTitle(translate("Report", "Calibration report"))
    document = QTextDocument()
    for name, data in report.images.items():
        image = QImage.fromData(data)
        document.addResource(QTextDocument.ResourceType.ImageResource, QUrl(f"{name}.png"), image)
    document.setDefaultStyleSheet(STYLE)
    document.setHtml(report.body)
    document.setPageSize(writer.pageLayout().paintRectPixels(96).size().toSizeF())
    document.print_(writer)
    return file


def _facts(sheet: Worksheet) -> list[tuple[str, str]]:
    calibration, trial_set = sheet.calibration, sheet.trial_set
    subjects = "" if sheet.live.subjects is None else words.number(sheet.live.subjects)
    rows = [
        (translate("Report", "Source"), trial_set.source),
        (translate("Report", "Modality"), words.modality_name(trial_set.modality)),
        (translate("Report", "Encoder contract"), trial_set.contract_id),
        (translate("Report", "Similarity"), trial_set.similarity),
        (translate("Report", "Devices"), trial_set.device_class),
        (translate("Report", "People"), subjects),
        (translate("Report", "Comparisons of the same person"), words.number(trial_set.trials.mated_count)),
        (translate("Report", "Comparisons of different people"), words.number(trial_set.trials.non_mated_count)),
        (translate("Report", "Method"), calibration.method),
        (translate("Report", "Smallest rate these data can show"), words.one_in(calibration.supported_fmr)),
        (translate("Report", "Digest of the data"), calibration.data_digest),
        (translate("Report", "Made"), f"{calibration.created.isoformat()}, verify_app {__version__}"),
    ]
    rows += [(translate("Report", "Left out"), line) for line in trial_set.history]
    return [row for row in rows if row[1]]


def _threshold(reading: Reading) -> list[tuple[str, str]]:
    low, high = words.percent(reading.fnmr.low), words.percent(reading.fnmr.high)
    interval = translate("Report", "95 %: {low} to {high}").format(low=low, high=high)
    return [
        (translate("Report", "Threshold"), f"{reading.threshold:.4g}"),
        (
            translate("Report", "False matches"),
            f"{words.one_in(reading.fmr.value)} ({words.interval_phrase(reading.fmr)})",
        ),
        (translate("Report", "False non-matches"), f"{words.percent(reading.fnmr.value)} ({interval})"),
    ]


def _table(rows: list[tuple[str, str]]) -> str:
    cells = "".join(
        f"<tr><td class='muted' width='220'>{html.escape(name)}</td><td>{html.escape(text)}</td></tr>"
        for name, text in rows
    )
    return f"<table>{cells}</table>"


def _points(sheet: Worksheet) -> str:
    from verify_app.gui.calibration.points_table import point_cells

    head = [
        translate("Report", "Operating point"),
        translate("Report", "Threshold"),
        translate("Report", "False matches"),
        translate("Report", "False non-matches"),
    ]
    lines = ["<tr>" + "".join(f"<th>{html.escape(name)}</th>" for name in head) + "</tr>"]
    for point in sheet.points:
        cells = (html.escape(cell).replace("\n", "<br>") for cell in point_cells(point))
        lines.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    return f"<table>{''.join(lines)}</table>"


def _figure(width: float, height: float) -> tuple[Figure, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _png(figure: Figure) -> bytes:
    store = io.BytesIO()
    figure.savefig(store, format="png", dpi=160)
    return store.getvalue()


def _histogram(sheet: Worksheet, reading: Reading) -> Figure:
    figure, axes = _figure(8, 3.2)
    shape = sheet.histogram
    axes.stairs(shape.non_mated, shape.edges, fill=True, color="#b3261e", alpha=0.35, label="other people")
    axes.stairs(shape.mated, shape.edges, fill=True, color="#14733f", alpha=0.35, label="same person")
    axes.axvline(reading.threshold, color="#15202c", linewidth=1.6)
    axes.set_xlabel(translate("Report", "score"))
    axes.set_yticks([])
    axes.legend(frameon=False)
    return figure


def _det(sheet: Worksheet, reading: Reading) -> Figure:
    import numpy as np

    from verify_app.evaluation.det import probit

    figure, axes = _figure(5.2, 4.6)
    axes.plot(*sheet.curve.probit(FLOOR), color="#2557c7")
    point = probit(np.array([reading.fmr.value, reading.fnmr.value]), FLOOR)
    axes.plot(*point, "o", color="#15202c")
    places = [float(place) for place in probit(np.array(DET_TICKS), FLOOR)]
    names = [words.percent(rate) for rate in DET_TICKS]
    axes.set_xticks(places, names, fontsize=7)
    axes.set_yticks(places, names, fontsize=7)
    axes.set_xlim(places[0], 0.3)
    axes.set_ylim(places[0], 0.3)
    axes.set_xlabel(translate("Report", "false matches (FMR)"))
    axes.set_ylabel(translate("Report", "false non-matches (FNMR)"))
    axes.grid(alpha=0.25)
    return figure


def _reliability(sheet: Worksheet) -> Figure:
    figure, axes = _figure(5.2, 4.2)
    found = sheet.reliability
    axes.plot([0, 1], [0, 1], "--", color="#566473", linewidth=1)
    errors = [found.measured - found.low, found.high - found.measured]
    axes.errorbar(found.predicted, found.measured, yerr=errors, fmt="o", color="#2557c7", markersize=4)
    axes.set_xlabel(translate("Report", "predicted probability of the same person"))
    axes.set_ylabel(translate("Report", "measured share"))
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    return figure


def suggested_name(sheet: Worksheet) -> str:
    """A file name without an ending."""
    word = "".join(letter if letter.isalnum() else "-" for letter in sheet.trial_set.source).strip("-")
    decades = round(-math.log10(max(sheet.calibration.target_fmr, 1e-12)))
    return f"calibration-{word}-1e-{decades}"
