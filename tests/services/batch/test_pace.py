"""Rate and time left, on a clock that is given."""

from __future__ import annotations

import pytest

from verify_app.services.pace import Pace, duration


def test_rate_and_time_left() -> None:
    pace = Pace()
    pace.update(0, 100, now=0.0)
    assert pace.rate is None
    pace.update(1, 100, now=5.0)  # models were loading until now
    pace.update(11, 100, now=6.0)
    assert pace.rate == pytest.approx(10)
    assert pace.seconds_left == pytest.approx(8.9)


def test_a_resumed_job_is_not_taken_for_a_fast_one() -> None:
    pace = Pace()
    pace.update(50_000, 100_000, now=0.0)
    pace.update(50_010, 100_000, now=1.0)
    assert pace.rate == pytest.approx(10)


def test_the_rate_follows_and_a_new_stage_begins_anew() -> None:
    pace = Pace()
    for second in range(100):
        pace.update(second, 1000, now=float(second))
    for second in range(100, 140):
        pace.update(100 + (second - 100) * 5, 1000, now=float(second))
    assert pace.rate == pytest.approx(5, rel=0.05)
    pace.update(0, 1000, now=200.0)
    assert pace.rate is None


@pytest.mark.parametrize(("seconds", "text"), [(8, "8 s"), (200, "3 min 20 s"), (3900, "1 h 5 min")])
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
