"""The bench's pictures, drawn for paper and screen: DET curves, the map of embeddings, saliency."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from verify_app.domain import FloatArray, ImageArray
from verify_app.services.bench.maps import EmbeddingMap
from verify_app.services.bench.run import BenchRow
from verify_app.services.bench.saliency import Saliency

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TICKS = (1e-4, 1e-3, 1e-2, 0.05, 0.1, 0.2, 0.4)
FLOOR = 1e-4
MOST_CURVES = 8


def det_picture(rows: Sequence[BenchRow]) -> bytes:
    """DET curves on probit axes, the best first, as PNG."""
    figure, axes = _figure(6.4, 5.6)
    draw_det(axes, sorted(rows, key=lambda row: row.eer.value)[:MOST_CURVES])
    return _png(figure)


def draw_det(axes: Axes, rows: Sequence[BenchRow]) -> None:
    """Draw DET curves into matplotlib ``axes``."""
    from verify_app.evaluation.det import probit

    for place, row in enumerate(rows):
        x, y = row.det.probit(FLOOR / 2)
        style = ("-", "--", "-.", ":")[place % 4]
        axes.plot(x, y, style, linewidth=1.6, label=f"{row.name}  EER {100 * row.eer.value:.2f} %")
    places = probit(np.array(TICKS))
    names = [f"{100 * tick:g} %" for tick in TICKS]
    axes.set_xticks(places, names)
    axes.set_yticks(places, names)
    axes.set_xlim(probit(np.array([FLOOR]))[0], probit(np.array([0.5]))[0])
    axes.set_ylim(probit(np.array([FLOOR]))[0], probit(np.array([0.5]))[0])
    axes.plot([-4, 0], [-4, 0], color="0.8", linewidth=0.8, zorder=0)
    axes.set_xlabel("false-match rate")
    axes.set_ylabel("false-non-match rate")
    axes.grid(color="0.92")
    axes.legend(fontsize=8, frameon=False, loc="lower left")


def map_picture(drawn: EmbeddingMap) -> bytes:
    """A map of embeddings, coloured by subject, as PNG."""
    from matplotlib import colormaps

    figure, axes = _figure(6.4, 5.6)
    names = np.unique(drawn.subjects)
    colours = colormaps["tab20"](np.linspace(0, 1, max(len(names), 2)))
    for name, colour in zip(names, colours, strict=False):
        points = drawn.coordinates[drawn.subjects == name]
        axes.scatter(
            points[:, 0], points[:, 1], s=16, color=colour, label=str(name), edgecolors="white", linewidths=0.3
        )
    about = f"by {drawn.method}: only who is next to whom means something"
    if drawn.share is not None:
        axes.set_xlabel("first component")
        axes.set_ylabel("second component")
        about = f"the map shows {100 * drawn.share:.0f} % of the variance"
    axes.set_title(f"{len(names)} subjects; {about}", fontsize=9)
    axes.set_aspect("equal", "datalim")
    return _png(figure)


def face_picture(crop: ImageArray, saliency: Saliency) -> bytes:
    """A face beside its saliency: red parts speak for the match, blue ones against, as PNG."""
    figure, (left, right) = _figure(6.4, 3.4, columns=2)
    left.imshow(crop)
    right.imshow(crop.mean(axis=2), cmap="gray", vmin=0, vmax=255)
    limit = float(np.abs(saliency.map).max()) or 1.0
    shown = right.imshow(saliency.map, cmap="RdBu_r", vmin=-limit, vmax=limit, alpha=0.55)
    for axes in (left, right):
        axes.set_axis_off()
    left.set_title(f"score {saliency.score:.3f}", fontsize=9)
    right.set_title("fall of the score when covered", fontsize=9)
    figure.colorbar(shown, ax=right, fraction=0.046)
    return _png(figure)


def voice_picture(spectrogram: FloatArray, saliency: Saliency) -> bytes:
    """A recording's spectrogram above its saliency over time and frequency, as PNG."""
    figure, (top, bottom) = _figure(7.2, 4.6, rows=2)
    seconds = float(saliency.times[-1]) if saliency.times is not None else 1.0
    top.imshow(spectrogram, origin="lower", aspect="auto", cmap="magma", extent=(0, seconds, 0, 8))
    top.set_ylabel("kHz")
    top.set_title(f"score {saliency.score:.3f}", fontsize=9)
    limit = float(np.abs(saliency.map).max()) or 1.0
    assert saliency.times is not None  # noqa: S101  a voice has both
    assert saliency.bands is not None  # noqa: S101
    shown = bottom.pcolormesh(
        saliency.times, saliency.bands / 1000, saliency.map, cmap="RdBu_r", vmin=-limit, vmax=limit
    )
    bottom.set_xlabel("seconds")
    bottom.set_ylabel("kHz")
    bottom.set_title("fall of the score when silenced", fontsize=9)
    figure.colorbar(shown, ax=[top, bottom], fraction=0.03)
    return _png(figure)


def _figure(width: float, height: float, *, rows: int = 1, columns: int = 1) -> tuple[Figure, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=110, layout="constrained")
    return figure, figure.subplots(rows, columns)


def _png(figure: Figure) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    return stream.getvalue()
