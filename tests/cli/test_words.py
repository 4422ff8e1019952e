"""Figures for people."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verify_app.cli import words
from verify_app.domain import Interval
from verify_app.services.rates import rate_text


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (0.001, "1 in 1 000"),
        (1.234e-5, "1 in 81 000"),
        (0.5, "50 %"),
        (0.0, "none"),
        (1.0, "100 %"),
        (1e-12, "under 1 in 1 000 000"),
    ],
)
def test_rates(rate: float, text: str) -> None:
    assert rate_text(rate) == text


@given(st.floats(min_value=1e-6, max_value=0.0999))
def test_a_rate_in_words_is_within_a_twentieth_of_the_rate(rate: float) -> None:
    number = float(rate_text(rate).removeprefix("1 in ").replace(" ", ""))

    assert 1 / number == pytest.approx(rate, rel=0.06)


def test_an_interval_names_its_confidence() -> None:
    assert words.rate_interval(Interval(1e-3, 5e-4, 2e-3)) == "1 in 1 000 (95 %: 1 in 2 000 to 1 in 500)"
    assert words.rate_interval(None) == "–"


def test_columns_are_aligned() -> None:
    assert words.table([("a", "bbb"), ("ccc", "d")], indent="") == "a    bbb\nccc  d"
