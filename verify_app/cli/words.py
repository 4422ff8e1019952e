"""How figures are written for people: rates as “1 in 8 300”, scores to three places, tables in columns."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import cache

from verify_app.domain import Interval
from verify_app.services.rates import grouped, rate_bound_text, rate_interval_text, rate_text

__all__ = ["count", "grouped", "percent_interval", "rate", "rate_bound", "rate_interval", "strong", "table"]
rate, rate_interval, rate_bound = rate_text, rate_interval_text, rate_bound_text


def percent_interval(interval: Interval | None) -> str:
    """A measured error rate in per cent with its interval."""
    if interval is None:
        return "–"
    return f"{_percent(interval.value)} % ({_percent(interval.low)}–{_percent(interval.high)})"


def count(number: int, singular: str, plural: str | None = None) -> str:
    """``1 person``, ``2 people``."""
    return f"{number} {singular if number == 1 else plural or singular + 's'}"


def table(rows: Sequence[Sequence[str]], head: Sequence[str] = (), indent: str = "  ") -> str:
    """Rows in aligned columns."""
    lines = [list(head), *[list(row) for row in rows]] if head else [list(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        indent + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def strong(text: str, good: bool | None = None) -> str:
    """Text that stands out on a terminal: green for good, red for bad; unchanged in a file or pipe."""
    if not _colours():
        return text
    colour = {True: "32;", False: "31;", None: ""}[good]
    return f"\x1b[{colour}1m{text}\x1b[0m"


@cache
def _colours() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _percent(value: float) -> str:
    return f"{100 * value:.2f}" if value >= 0.001 else f"{100 * value:.3f}"
