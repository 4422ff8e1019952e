"""Starting the window: the environment is mended, Qt is checked, then the window opens whatever else is broken."""

from __future__ import annotations

import logging
import os
import signal
import sys
from types import TracebackType
from typing import TYPE_CHECKING

from verify_app.gui.libraries import check_platform, missing_library
from verify_app.reasons import Reason, ReasonCode, UsageError

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from verify_app.gui.window import MainWindow
    from verify_app.services.settings import Settings

log = logging.getLogger(__name__)


def free_qt_from_opencv() -> None:
    """Forget the plugin and font folders that importing ``cv2`` on Linux sets: no other Qt can load them."""
    for name in ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR"):
        value = os.environ.get(name, "").replace("\\", "/")
        if "/cv2/" in value:
            del os.environ[name]


def make_application() -> QApplication:
    """The Qt application, themed.

    Raises:
        StateError: a system library or the display is missing; the advice names the package.
    """
    free_qt_from_opencv()
    try:
        from PySide6.QtWidgets import QApplication
    except ImportError as error:
        known = missing_library(str(error))
        if known is None:
            raise
        raise known from None
    check_platform()
    from verify_app.gui import theme

    existing = QApplication.instance()
    application = existing if isinstance(existing, QApplication) else QApplication(["verify_app"])
    application.setApplicationName("verify_app")
    application.setDesktopFileName("verify_app")
    theme.manager()
    return application


def run(settings: Settings | None = None, page: str = "verify", home: str | None = None) -> int:
    """Open the window on a page and stay until it is closed; returns the exit code.

    Args:
        settings: what to open with; None to read them here, and to open all the same when they cannot be read.
        page: key of the first page.
        home: one folder for data and configuration, None for the usual ones.

    Raises:
        StateError: a system library or the display is missing.
        UsageError: there is no such page.
    """
    application = make_application()
    from verify_app.gui.pages import entries
    from verify_app.gui.session import Session
    from verify_app.gui.window import MainWindow

    keys = [entry.key for entry in entries()]
    if page not in keys:
        raise UsageError(ReasonCode.USAGE, f"There is no page “{page}”.", f"Choose one of {', '.join(keys)}.")
    window = MainWindow(Session(settings, home), page)
    _report_unforeseen_errors(window)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    window.show()
    try:
        return application.exec()
    finally:
        sys.excepthook = sys.__excepthook__


def _report_unforeseen_errors(window: MainWindow) -> None:
    """An error nobody foresaw in a slot is logged and told in the window, which stays open."""

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        log.error("Unforeseen error in the window", exc_info=(kind, error, trace))
        window.report(
            Reason(
                ReasonCode.INTERNAL,
                f"Something went wrong that should not ({kind.__name__}).",
                "The log has the details; nothing that was stored is lost.",
            )
        )

    sys.excepthook = hook
