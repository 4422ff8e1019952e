"""From nothing to a verdict with real models and the demo people, seen through the window.

The environment variable VERIFY_APP_SCREENSHOTS names a folder to keep the pictures in.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from tests.gui.conftest import settle
from verify_app.domain import Modality
from verify_app.gui import theme
from verify_app.gui.enrol.page import DONE, EnrolPage
from verify_app.gui.people.page import PeoplePage
from verify_app.gui.verify.page import VerifyPage
from verify_app.gui.window import MainWindow
from verify_app.reasons import Reason, ReasonCode
from verify_app.services.application import Application
from verify_app.services.enrol import enrol
from verify_app.services.verify import Verification

OpenWindow = Callable[..., MainWindow]
SLOW = 120_000


@pytest.fixture(scope="module")
def demo(repository: Path) -> Path:
    folder, models = repository / "assets" / "demo", repository / "models"
    needed = [models / role / "model.onnx" for role in ("face-detector", "face-encoder", "voice-encoder")]
    needed += [models / role / "calibration.json" for role in ("face-encoder", "voice-encoder")]
    missing = [file for file in (folder, *needed) if not file.exists()]
    if missing:
        pytest.skip(f"this checkout has no {missing[0].relative_to(repository)}")
    return folder


def files(demo: Path, person: str, kind: str) -> list[Path]:
    return sorted((demo / person).glob(f"*{kind}*"))


@pytest.fixture
def enrolled(home: Path, demo: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VERIFY_APP_MODELS", str(repository / "models"))
    with Application() as app:
        for person in ("ada", "bruno", "chun"):
            enrol(app, person.capitalize(), files(demo, person, "reference"))


@pytest.fixture
def shoot(tmp_path: Path) -> Iterator[Callable[[MainWindow, str], None]]:
    """Keeps pictures of the window, light and dark."""
    folder = Path(os.environ.get("VERIFY_APP_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)

    def take(window: MainWindow, name: str) -> None:
        for scheme, word in ((Qt.ColorScheme.Dark, "dark"), (Qt.ColorScheme.Light, "light")):
            theme.manager().choose(scheme)
            settle()
            picture = window.grab()
            assert picture.save(str(folder / f"{name}-{word}.png"))
            image = picture.toImage()
            points = [(x, y) for x in range(0, image.width(), 9) for y in range(0, image.height(), 9)]
            assert len({image.pixel(x, y) for x, y in points}) > 20, "the picture is empty"

    yield take
    theme.manager().choose(Qt.ColorScheme.Unknown)


def decide(page: VerifyPage, qtbot: QtBot, claim: str, *samples: Path) -> Verification | Reason:
    page.tray.reset()
    page.person.choose(claim)
    page.add_samples(*samples)
    with qtbot.waitSignal(page.decided, timeout=SLOW) as heard:
        page.start()
    return heard.args[0]  # type: ignore[no-any-return]


@pytest.mark.slow
def test_a_true_and_a_false_claim(
    enrolled: None, demo: Path, open_window: OpenWindow, qtbot: QtBot, shoot: Callable[[MainWindow, str], None]
) -> None:
    window = open_window("verify")
    page = window.page
    assert isinstance(page, VerifyPage)
    qtbot.waitUntil(lambda: page.person.count() == 3, timeout=SLOW)
    qtbot.waitUntil(lambda: "Encrypted" in window.status_line.key.text, timeout=SLOW)
    own = [files(demo, "ada", "face-probe")[0], files(demo, "ada", "voice-probe")[0]]
    found = decide(page, qtbot, "Ada", *own)
    assert isinstance(found, Verification)
    assert {one.modality for one in found.decision.comparisons} == set(Modality)
    assert page.result.verdict is not None
    assert page.result.verdict.title == ("Verified" if found.decision.verified else "Not verified")
    assert found.decision.verified
    shoot(window, "verify-verified")
    others = [files(demo, "ada", "face-probe")[1], files(demo, "ada", "voice-probe")[1]]
    found = decide(page, qtbot, "Bruno", *others)
    assert isinstance(found, Verification)
    assert not found.decision.verified
    assert page.result.verdict.title == "Not verified"
    assert found.decision.reason.message in page.result.verdict.accessibleName()
    shoot(window, "verify-not-verified")


@pytest.mark.slow
def test_a_file_that_is_no_sample(enrolled: None, open_window: OpenWindow, qtbot: QtBot, tmp_path: Path) -> None:
    page = open_window("verify").page
    assert isinstance(page, VerifyPage)
    qtbot.waitUntil(lambda: page.person.count() == 3, timeout=SLOW)
    file = tmp_path / "holiday.jpg"
    file.write_bytes(b"no picture")
    reason = decide(page, qtbot, "Ada", file)
    assert isinstance(reason, Reason)
    assert page.result.verdict is not None
    assert page.result.verdict.title == "Not verified"
    assert reason.advice in page.result.verdict.accessibleName()


@pytest.mark.slow
def test_enrolling_step_by_step(
    enrolled: None, demo: Path, open_window: OpenWindow, qtbot: QtBot, shoot: Callable[[MainWindow, str], None]
) -> None:
    window = open_window("enrol")
    page = window.page
    assert isinstance(page, EnrolPage)
    assert not page.next_button.isEnabled()
    page.name_step.name.setText("  Dalia ")
    page.next()
    assert page.next_button.text() == "Skip"
    with qtbot.waitSignal(page.examined, timeout=SLOW):
        page.examine(list(files(demo, "dalia", "face-reference")))
    assert len(page.draft.accepted(Modality.FACE)) == 2
    with qtbot.waitSignal(page.examined, timeout=SLOW):
        page.examine([files(demo, "dalia", "voice-reference")[0]])  # a recording shows no face
    assert page.draft.outcomes[-1].reason is not None
    assert page.draft.outcomes[-1].reason.code is ReasonCode.MODALITY_MISMATCH
    shoot(window, "enrol-face")
    page.next()
    with qtbot.waitSignal(page.examined, timeout=SLOW):
        page.examine([files(demo, "dalia", "voice-reference")[0]])
    assert len(page.draft.accepted(Modality.VOICE)) == 1
    page.next()
    with qtbot.waitSignal(page.enrolled, timeout=SLOW) as heard:
        page.next()
    assert heard.args[0].person.name == "Dalia"
    assert page.step == DONE
    window.open_page("people")
    people = window.page
    assert isinstance(people, PeoplePage)
    qtbot.waitUntil(lambda: people.list.count() == 4, timeout=SLOW)
    qtbot.waitUntil(lambda: people.detail.currentWidget() is people.detail._shown, timeout=SLOW)
    shoot(window, "people")


@pytest.mark.slow
def test_somebody_who_is_enrolled_already_is_noticed(
    enrolled: None, demo: Path, open_window: OpenWindow, qtbot: QtBot
) -> None:
    page = open_window("enrol").page
    assert isinstance(page, EnrolPage)
    page.name_step.name.setText("Somebody else")
    page.next()
    with qtbot.waitSignal(page.examined, timeout=SLOW):
        page.examine(list(files(demo, "ada", "face-probe")))
    page.next()
    page.next()
    qtbot.waitUntil(lambda: not page.finish_step.duplicate.isHidden(), timeout=SLOW)
    assert "Ada" in page.finish_step.duplicate.text
