"""Widgets that paint themselves: where they put things."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QRect
from PySide6.QtWidgets import QLabel, QWidget
from pytestqt.qtbot import QtBot

from verify_app.domain import Interval
from verify_app.gui.widgets.flow import FlowLayout
from verify_app.gui.widgets.person_combo import PersonCombo
from verify_app.gui.widgets.sample_tray import SampleTray
from verify_app.gui.widgets.scales import RarityScale, ScoreScale
from verify_app.gui.widgets.spectrogram import spectrogram


def test_a_score_above_the_threshold_lies_right_of_it(qtbot: QtBot) -> None:
    scale = ScoreScale()
    qtbot.addWidget(scale)
    scale.show_score(0.7, 0.5)
    assert scale._position is not None
    assert scale._threshold is not None
    assert scale._position > scale._threshold
    assert "0.70" in scale.accessibleName()
    assert "0.50" in scale.accessibleName()


@pytest.mark.parametrize("threshold", [None, float("inf")])
def test_a_score_without_a_threshold_that_can_be_reached(qtbot: QtBot, threshold: float | None) -> None:
    scale = ScoreScale()
    qtbot.addWidget(scale)
    scale.show_score(0.7, threshold)
    assert scale._threshold is None
    assert not scale.grab().isNull()


def test_rarer_lies_further_right(qtbot: QtBot) -> None:
    scale = RarityScale()
    qtbot.addWidget(scale)
    places = []
    for rate in (0.5, 1e-2, 1e-4, 1e-9, 0.0):
        scale.show_rate(Interval(rate, 0.0, min(1.0, rate * 10)), 1e-3)
        assert scale._position is not None
        places.append(scale._position)
        assert not scale.grab().isNull()
    assert places == sorted(places)
    assert all(0 <= place <= 1 for place in places)


@given(st.integers(1, 40_000))
@settings(max_examples=40, deadline=None)
def test_a_spectrogram_is_never_wider_than_asked(samples: int) -> None:
    found = spectrogram(np.linspace(-1, 1, samples, dtype=np.float32), columns=50)
    assert found.shape[0] == 129
    assert 1 <= found.shape[1] <= 51
    assert found.max() == 0


def test_a_tone_shows_at_its_frequency() -> None:
    time = np.arange(16_000) / 16_000
    found = spectrogram(np.sin(2 * np.pi * 1000 * time).astype(np.float32))
    assert abs(int(np.argmax(found.mean(axis=1))) * 62.5 - 1000) <= 62.5


def test_widgets_flow_into_lines_of_one_height(qtbot: QtBot) -> None:
    holder = QWidget()
    qtbot.addWidget(holder)
    layout = FlowLayout(holder, gap=10)
    for height in (30, 50, 40):
        one = QLabel()
        one.setFixedWidth(100)
        one.setMinimumHeight(height)
        layout.addWidget(one)
    layout.setGeometry(QRect(0, 0, 215, 500))
    boxes = [layout.itemAt(place).geometry() for place in range(3)]  # type: ignore[union-attr]
    assert [box.y() for box in boxes] == [0, 0, 60]
    assert boxes[0].height() == boxes[1].height() == 50
    assert layout.heightForWidth(1000) == 50


def test_a_person_is_chosen_by_the_whole_name_whatever_its_case(qtbot: QtBot) -> None:
    combo = PersonCombo()
    qtbot.addWidget(combo)
    combo.set_people(["Ada", "Bruno"])
    combo.choose("bru")
    assert combo.name == ""
    combo.choose("  bruno ")
    assert combo.name == "Bruno"
    combo.set_people(["Ada"])
    assert combo.name == ""
    assert combo.currentText().strip() == "bruno"


def test_a_file_is_taken_once_and_can_be_taken_out(qtbot: QtBot) -> None:
    tray = SampleTray()
    qtbot.addWidget(tray)
    tray.add("a.jpg", "b.wav", "a.jpg")
    assert tray.items == ["a.jpg", "b.wav"]
    tray._remove("a.jpg")
    assert tray.items == ["b.wav"]
    tray.reset()
    assert tray.isHidden()
