"""The pages of the window: what a page is, and the list of them. A new page is one line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtWidgets import QWidget

from verify_app.gui.session import Session
from verify_app.gui.text import translate
from verify_app.gui.widgets.basic import PAGE_MARGIN, column, label


class Page(QWidget):
    """A page: a heading, one line on what it is for, and its content."""

    def __init__(self, session: Session, title: str, purpose: str) -> None:
        super().__init__()
        self.setObjectName("page")
        self.session = session
        self.setAccessibleName(title)
        self.setAccessibleDescription(purpose)
        heading = column(label(title, "h1"), label(purpose, "muted", wrap=True), gap=2)
        self.content = column(heading, gap=16, margin=PAGE_MARGIN)
        self.setLayout(self.content)

    def entered(self) -> None:
        """Called whenever the page comes to the front."""

    def left(self) -> None:
        """Called when another page comes to the front; give devices back here."""


@dataclass(frozen=True, slots=True)
class PageEntry:
    """How a page appears in the navigation; ``make`` builds it when it is first opened."""

    key: str
    title: Callable[[], str]
    icon: str
    make: Callable[[Session], Page]


def _verify(session: Session) -> Page:
    from verify_app.gui.verify.page import VerifyPage

    return VerifyPage(session)


def _enrol(session: Session) -> Page:
    from verify_app.gui.enrol.page import EnrolPage

    return EnrolPage(session)


def _people(session: Session) -> Page:
    from verify_app.gui.people.page import PeoplePage

    return PeoplePage(session)


def _calibrate(session: Session) -> Page:
    from verify_app.gui.calibration.page import CalibratePage

    return CalibratePage(session)


def _batch(session: Session) -> Page:
    from verify_app.gui.batch.page import BatchPage

    return BatchPage(session)


def _bench(session: Session) -> Page:
    from verify_app.gui.bench.page import BenchPage

    return BenchPage(session)


def entries() -> list[PageEntry]:
    """Every page, in the order of the navigation."""
    return [
        PageEntry("verify", lambda: translate("Navigation", "Verify"), "verify", _verify),
        PageEntry("enrol", lambda: translate("Navigation", "Enrol"), "enrol", _enrol),
        PageEntry("people", lambda: translate("Navigation", "People"), "people", _people),
        PageEntry("batch", lambda: translate("Navigation", "Batch"), "batch", _batch),
        PageEntry("calibrate", lambda: translate("Navigation", "Calibrate"), "calibrate", _calibrate),
        PageEntry("bench", lambda: translate("Navigation", "Bench"), "bench", _bench),
    ]
