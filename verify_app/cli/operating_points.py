"""The table of operating points, as the shell prints it."""

from __future__ import annotations

from collections.abc import Sequence

from verify_app.cli import words
from verify_app.services.operating_points import Point


def points_table(points: Sequence[Point]) -> str:
    """One row per point; those that the data cannot show say what is missing."""
    return words.table([_row(point) for point in points], ("operating point", "threshold", "FMR", "FNMR", ""))


def _row(point: Point) -> tuple[str, str, str, str, str]:
    names = {"equal": "equal errors", "cost": "least cost"}
    name = words.rate(point.target_fmr) if point.target_fmr is not None else names.get(point.kind, point.kind)
    missing = ""
    if point.support is not None and not point.support.supported:
        missing = f"needs {words.grouped(point.support.comparisons)} more comparisons"
    reading = point.reading
    if reading is None:
        return name, "–", "–", "–", missing or "no score is enough"
    return (
        name,
        f"{reading.threshold:.4f}",
        words.rate_interval(reading.fmr),
        words.percent_interval(reading.fnmr),
        missing,
    )
