"""Rates in words: “1 in 8 300”, with the interval where there is one."""

from __future__ import annotations

import math

from verify_app.domain import Interval

RAREST = 1e-6
"""Rates below this are not told apart: no data of a desktop application show them."""


def rate_text(value: float) -> str:
    """A rate in words: ``1 in 8 300`` for small ones, a percentage from 10 % up."""
    if value <= 0:
        return "none"
    if value < RAREST:
        return f"under 1 in {grouped(1 / RAREST)}"
    if value >= 0.1:
        return f"{100 * value:.0f} %"
    return f"1 in {grouped(float(f'{1 / value:.2g}'))}"


def rate_interval_text(interval: Interval | None) -> str:
    """A rate with its confidence interval, or a dash where there is none."""
    if interval is None:
        return "–"
    if 0 < interval.high < RAREST:
        return rate_text(interval.high)
    low, high = rate_text(interval.low), rate_text(interval.high)
    return f"{rate_text(interval.value)} ({100 * interval.confidence:.0f} %: {low} to {high})"


def rate_bound_text(interval: Interval | None) -> str:
    """A rate with its upper bound alone: the side that matters, in less room."""
    if interval is None:
        return "–"
    if 0 < interval.high < RAREST:
        return rate_text(interval.high)
    return f"{rate_text(interval.value)}, at most {rate_text(interval.high)}"


def threshold_text(threshold: float | None) -> str:
    """A threshold, or a dash where there is none or no score reaches it."""
    return f"{threshold:.3f}" if threshold is not None and math.isfinite(threshold) else "–"


def grouped(value: float) -> str:
    """A whole number in groups of three: ``12 000``."""
    return f"{value:,.0f}".replace(",", " ")
