"""The false-match rate of a search of N people."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verify_app.domain import Interval
from verify_app.services.identify import corrected

rate = st.floats(min_value=0, max_value=1)


@given(rate, st.integers(1, 1_000_000))
def test_the_correction_is_the_chance_of_any_false_match(fmr: float, gallery: int) -> None:
    found = corrected(Interval(fmr, fmr, fmr), gallery)

    assert found is not None
    assert found.value == pytest.approx(1 - (1 - fmr) ** gallery, abs=1e-9)
    assert fmr - 1e-12 <= found.value <= min(1.0, gallery * fmr) + 1e-12


@given(st.lists(rate, min_size=3, max_size=3).map(sorted), st.integers(1, 10_000))
def test_bounds_stay_in_order(rates: list[float], gallery: int) -> None:
    low, value, high = rates
    found = corrected(Interval(value, low, high), gallery)

    assert found is not None
    assert found.low <= found.value <= found.high


def test_tiny_rates_are_not_rounded_away() -> None:
    found = corrected(Interval(1e-18, 1e-19, 1e-17), 1000)

    assert found is not None
    assert found.value == pytest.approx(1e-15)


def test_without_a_rate_there_is_none() -> None:
    assert corrected(None, 10) is None
