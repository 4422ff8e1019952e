"""The people page on a real store."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PySide6.QtWidgets import QLabel, QMessageBox
from pytestqt.qtbot import QtBot

from verify_app.gui.people.detail import SampleCard
from verify_app.gui.people.page import PeoplePage
from verify_app.gui.window import MainWindow
from verify_app.services.application import Application

OpenWindow = Callable[..., MainWindow]
CONTRACT = {"encoder": "old-encoder", "sha256": "ab" * 32, "preprocessing": "p", "dimension": 4, "normalisation": "l2"}


def thumbnail() -> bytes:
    picture = np.full((112, 112, 3), 90, np.uint8)
    done, data = cv2.imencode(".jpg", picture)
    assert done
    return bytes(data.tobytes())


@pytest.fixture
def stored(home: Path) -> list[str]:
    """Three people; the second has a face sample with a template of an encoder that is not in use."""
    names = ["Ada Lindqvist", "Bruno Okafor", "Chiara Moreau"]
    with Application() as app:
        for name in names:
            app.store.add_person(name)
        person = app.store.person("Bruno Okafor")
        sample = app.store.add_sample(
            person.id, "face", "cd" * 32, "/pictures/bruno.jpg", "file", {"score": 0.81}, thumbnail()
        )
        app.store.add_template(person.id, sample.id, "face", CONTRACT, np.full(4, 0.5, "<f4").tobytes())
    return names


@pytest.fixture
def page(stored: list[str], open_window: OpenWindow, qtbot: QtBot) -> PeoplePage:
    found = open_window("people").page
    assert isinstance(found, PeoplePage)
    qtbot.waitUntil(lambda: found.list.count() == len(stored))
    return found


def choose(page: PeoplePage, name: str, qtbot: QtBot) -> None:
    (row,) = [row for row in range(page.list.count()) if page.list.item(row).text() == name]
    page.list.setCurrentRow(row)
    qtbot.waitUntil(lambda: page.detail._name.text() == name)


def test_everybody_is_listed_and_found_by_part_of_the_name(page: PeoplePage, stored: list[str]) -> None:
    assert [page.list.item(row).text() for row in range(3)] == stored
    page.search.setText(" oka ")
    assert [page.list.item(row).isHidden() for row in range(3)] == [True, False, True]


def test_a_person_is_shown_with_samples_and_encoder(page: PeoplePage, qtbot: QtBot) -> None:
    choose(page, "Bruno Okafor", qtbot)
    qtbot.waitUntil(lambda: len(page.detail.findChildren(SampleCard)) == 1)
    texts = [one.text() for one in page.detail.findChildren(QLabel)]
    assert any("1 face sample" in text for text in texts)
    assert "bruno.jpg" in texts
    assert "0.81" in texts
    assert any("old-encoder" in text and "abababab" in text for text in texts)


def test_renaming(page: PeoplePage, qtbot: QtBot) -> None:
    choose(page, "Ada Lindqvist", qtbot)
    page.rename_to("Ada Byron")
    qtbot.waitUntil(lambda: page.list.item(0).text() == "Ada Byron")


def test_a_name_that_is_taken_is_refused(page: PeoplePage, qtbot: QtBot) -> None:
    choose(page, "Ada Lindqvist", qtbot)
    page.rename_to("Bruno Okafor")
    qtbot.waitUntil(lambda: not page.notice.isHidden())
    assert page.list.item(0).text() == "Ada Lindqvist"


def test_removal_asks_first_and_says_what_is_erased(
    page: PeoplePage, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    asked: list[str] = []

    def cancel(box: QMessageBox) -> int:
        asked.append(f"{box.text()} {box.informativeText()}")
        return 0

    monkeypatch.setattr(QMessageBox, "exec", cancel)
    choose(page, "Bruno Okafor", qtbot)
    page.ask_to_remove()
    assert "Remove Bruno Okafor?" in asked[0]
    assert "1 face sample" in asked[0]
    assert "cannot be undone" in asked[0]
    assert page.list.count() == 3
    page.remove()
    qtbot.waitUntil(lambda: page.list.count() == 2)
    with Application() as app:
        assert [person.name for person in app.store.people()] == ["Ada Lindqvist", "Chiara Moreau"]
    assert b"bruno.jpg" not in b"".join(file.read_bytes() for file in (home / "data").glob("enrolment.db*"))


def test_export_writes_everything_and_warns(page: PeoplePage, qtbot: QtBot, tmp_path: Path) -> None:
    choose(page, "Bruno Okafor", qtbot)
    file = tmp_path / "bruno.json"
    page.export_to(file)
    qtbot.waitUntil(lambda: not page.notice.isHidden())
    assert "Bruno Okafor" in json.dumps(json.loads(file.read_text(encoding="utf-8")), ensure_ascii=False)
    assert "not encrypted" in page.notice.accessibleName()


def test_an_export_replaces_no_file(page: PeoplePage, qtbot: QtBot, tmp_path: Path) -> None:
    choose(page, "Bruno Okafor", qtbot)
    file = tmp_path / "bruno.json"
    file.write_text("precious")
    page.export_to(file)
    qtbot.waitUntil(lambda: not page.notice.isHidden())
    assert file.read_text() == "precious"


def test_an_empty_page_leads_to_enrolment(open_window: OpenWindow, qtbot: QtBot) -> None:
    window = open_window("people")
    page = window.page
    assert isinstance(page, PeoplePage)
    qtbot.waitUntil(lambda: page._stack.currentWidget() is page._empty)
    page.page_wanted.emit("enrol")
    assert window.page is not page
