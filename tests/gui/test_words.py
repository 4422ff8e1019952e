import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verify_app.domain import Interval
from verify_app.gui import words
from verify_app.gui.text import translate
from verify_app.reasons import Reason, ReasonCode


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (1 / 4000, "1 in 4 000"),
        (1 / 4123, "1 in 4 100"),
        (0.001, "1 in 1 000"),
        (0.05, "1 in 20"),
        (0.3, "1 in 3"),
        (0.5, "5 in 10"),
        (0.99, "almost everybody"),
        (0.0, "none seen"),
    ],
)
def test_rates_in_words(rate: float, text: str) -> None:
    assert words.one_in(rate).replace(words.THIN_SPACE, " ") == text


@given(st.floats(min_value=words.RAREST, max_value=0.4))
def test_odds_keep_two_figures(rate: float) -> None:
    count = int(re.sub(r"\D", "", words.one_in(rate).removeprefix("1 in")))
    # Two significant figures are at most 5 % off; whole numbers below ten are coarser, and right to half a unit.
    assert abs(count - 1 / rate) <= max(0.051 * count, 0.5)


def test_the_sentence_and_the_interval() -> None:
    rate = Interval(1 / 4000, 1 / 7000, 1 / 2500)
    assert words.rate_sentence(rate).replace(words.THIN_SPACE, " ") == (
        "About 1 in 4 000 other people would score this high"
    )
    assert words.interval_phrase(rate).replace(words.THIN_SPACE, " ") == "95 %: 1 in 2 500 to 1 in 7 000"


def test_an_interval_that_reaches_zero_has_no_rare_end() -> None:
    assert words.interval_phrase(Interval(1e-4, 0.0, 1e-3)).endswith("or rarer")


@given(st.floats(min_value=0, max_value=1), st.floats(min_value=0, max_value=1), st.floats(min_value=0, max_value=1))
def test_no_rate_breaks_the_words(a: float, b: float, c: float) -> None:
    low, value, high = sorted((a, b, c))
    assert words.rate_sentence(Interval(value, low, high))
    assert words.interval_phrase(Interval(value, low, high)).startswith("95 %")


@pytest.mark.parametrize(("rate", "text"), [(0.032, "3.2 %"), (0.0004, "0.04 %"), (0.0, "0 %"), (1.0, "100.0 %")])
def test_percent(rate: float, text: str) -> None:
    assert words.percent(rate) == text


@pytest.mark.parametrize(("n", "text"), [(0, "0 samples"), (1, "1 sample"), (2, "2 samples")])
def test_english_plurals_need_no_translation_file(n: int, text: str) -> None:
    assert translate("test", "%n sample(s)", n=n) == text


def test_a_reason_in_the_window_shows_the_file_and_not_the_folder() -> None:
    reason = Reason(ReasonCode.NO_FACE, "/home/a/pictures/b.jpg shows no face.", "Use another.")
    assert words.shorter(reason, "/home/a/pictures/b.jpg").message == "b.jpg shows no face."


def test_measures_have_names_and_units() -> None:
    assert (words.measure_name("eye_distance"), words.measure_value("eye_distance", 61.4)) == (
        "Between the eyes",
        "61 px",
    )
    assert words.measure_value("snr", 23.6) == "24 dB"
    assert words.measure_name("something_new") == "Something new"


def test_nothing_rarer_is_claimed_than_data_can_show() -> None:
    rate = Interval(1e-10, 0.0, 1e-8)
    assert words.rate_sentence(rate).replace(words.THIN_SPACE, " ") == (
        "Fewer than 1 in 1 000 000 other people would score this high"
    )
    assert words.interval_phrase(rate).replace(words.THIN_SPACE, " ") == "95 %: less than 1 in 1 000 000"
