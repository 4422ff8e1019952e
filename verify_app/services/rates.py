"""Rates in words: “1 in 8 300”, with the interval where there is one."""

from __future__ import annotations

from verify_app.domain import Interval


def rate_text(value: float) -> str:
    """A rate in words: ``1 in 8 300`` for small ones, a percentage from 10 % up."""
    if value <= 0:
        return "none"
    if value >= 0.1:
        return f"{100 * value:.0f} %"
    return f"1 in {grouped(float(f'{1 / value:.2g}'))}"


def rate_interval_text(interval: Interval | None) -> str:
    """A rate with its confidence interval, or a dash where there is none."""
    if interval is None:
        return "–"
    low, high = rate_text(interval.low), rate_text(interval.high)
    return f"{rate_text(interval.value)} ({100 * interval.confidence:.0f} %: {low} to {high})"


def grouped(value: float) -> str:
    """A whole number in groups of three, ``12 000``; from a billion up as ``3e12``."""
    if value < 1e9:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.0e}".replace("e+", "e")
