"""The main window: navigation on the left, a page on the right, the state of the installation below."""

from __future__ import annotations

from concurrent.futures import Future

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction, QActionGroup, QCloseEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QButtonGroup,
    QFrame,
    QInputDialog,
    QLineEdit,
    QMainWindow,
    QMenu,
    QPushButton,
    QStackedWidget,
    QToolButton,
    QWidget,
)

from verify_app.gui import icons, theme
from verify_app.gui.pages import Page, PageEntry, entries
from verify_app.gui.session import Session
from verify_app.gui.status import StatusLine
from verify_app.gui.text import translate
from verify_app.gui.widgets.basic import IconLabel, button, column, label, row
from verify_app.gui.widgets.notice import Notice
from verify_app.reasons import Cancelled, Reason, ReasonCode


class MainWindow(QMainWindow):
    """The window; it owns the session and closes it."""

    def __init__(self, session: Session, first_page: str = "verify") -> None:
        super().__init__()
        self.session = session
        session.setParent(self)
        self.setWindowTitle("verify_app")
        self.setMinimumSize(QSize(1060, 640))
        self.resize(1200, 800)
        self._entries = {entry.key: entry for entry in entries()}
        self._pages: dict[str, Page] = {}
        self._stack = QStackedWidget()
        self._buttons = QButtonGroup(self)
        self.notice = Notice(closable=True)
        body = QWidget()
        body.setObjectName("page")
        self.notice.setObjectName("window-notice")
        holder = row(self.notice)
        holder.setContentsMargins(24, 0, 24, 0)
        body.setLayout(row(self._navigation(), column(holder, self._stack, gap=0), gap=0))
        self.setCentralWidget(body)
        self.status_line = StatusLine(session)
        self.setStatusBar(self.status_line)
        theme.on_change(self, lambda t: self.setWindowIcon(icons.icon("verify", t.accent)))
        session.warned.connect(self._warn)
        session.passphrase_wanted.connect(self._ask_passphrase)
        session.opened.connect(self._show_problem)
        self._show_problem()
        self.open_page(first_page)

    def _navigation(self) -> QFrame:
        frame = QFrame()
        frame.setObjectName("navigation")
        frame.setFixedWidth(188)
        brand = label("verify_app")
        brand.setObjectName("brand")
        head = row(IconLabel("verify", 24, "accent"), brand, 1, gap=8)
        head.setContentsMargins(8, 6, 0, 0)
        layout = column(head, gap=4, margin=14)
        layout.addSpacing(14)
        for number, entry in enumerate(self._entries.values(), start=1):
            layout.addWidget(self._navigation_button(entry, number))
        layout.addStretch(1)
        layout.addWidget(self._appearance_button())
        frame.setLayout(layout)
        return frame

    def _navigation_button(self, entry: PageEntry, number: int) -> QToolButton:
        made = _wide_button(entry.title())
        made.setCheckable(True)
        made.setToolTip(f"{entry.title()} (Ctrl+{number})")
        theme.on_change(made, lambda t: made.setIcon(icons.icon(entry.icon, t.muted, checked=t.accent)))
        made.clicked.connect(lambda: self.open_page(entry.key))
        self._buttons.addButton(made)
        made.setObjectName(f"navigate-{entry.key}")
        shortcut = QShortcut(QKeySequence(f"Ctrl+{number}"), self)
        shortcut.activated.connect(lambda: self.open_page(entry.key))
        return made

    def _appearance_button(self) -> QToolButton:
        made = _wide_button(translate("MainWindow", "Appearance"))
        menu, group = QMenu(made), QActionGroup(made)
        choices = {
            "system": (translate("MainWindow", "Like the system"), Qt.ColorScheme.Unknown),
            "light": (translate("MainWindow", "Light"), Qt.ColorScheme.Light),
            "dark": (translate("MainWindow", "Dark"), Qt.ColorScheme.Dark),
        }
        chosen = self.session.settings.theme if self.session.settings else "system"
        for key, (name, scheme) in choices.items():
            action = QAction(name, made, checkable=True)
            action.setChecked(key == chosen)
            action.triggered.connect(lambda _checked, k=key, s=scheme: self._choose_appearance(k, s))
            group.addAction(action)
            menu.addAction(action)
        if chosen != "system":
            theme.manager().choose(choices[chosen][1])
        made.setMenu(menu)
        made.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        theme.on_change(made, lambda t: made.setIcon(icons.icon("contrast", t.muted)))
        return made

    def _choose_appearance(self, name: str, scheme: Qt.ColorScheme) -> None:
        theme.manager().choose(scheme)
        try:
            self.session.keep_setting(theme=name)
        except OSError as error:
            self._warn(translate("MainWindow", "The choice is not kept: {why}.").format(why=error.strerror))

    @property
    def page(self) -> Page:
        """The page in front."""
        return self._pages[self._current]

    def open_page(self, key: str) -> Page:
        """Bring a page to the front, building it at the first time."""
        before = self._stack.currentWidget()
        if key not in self._pages:
            self._pages[key] = self._entries[key].make(self.session)
            self._stack.addWidget(self._pages[key])
            jump = getattr(self._pages[key], "page_wanted", None)
            if jump is not None:
                jump.connect(self.open_page)
        page = self._pages[key]
        if isinstance(before, Page) and before is not page:
            before.left()
        self._current = key
        self._stack.setCurrentWidget(page)
        chosen = self.findChild(QToolButton, f"navigate-{key}")
        if chosen is not None:
            chosen.setChecked(True)
        page.entered()
        return page

    def _show_problem(self) -> None:
        problem = self.session.problem
        if problem is None:
            self.notice.hide()
            return
        self.notice.explain(problem, "bad")
        if problem.code is ReasonCode.SETTINGS_INVALID:
            self.notice.offer(self._defaults_button())

    def _defaults_button(self) -> QPushButton:
        def set_aside() -> None:
            from verify_app.gui.recovery import set_settings_aside

            try:
                kept = set_settings_aside(self.session.home)
            except OSError as error:
                self.notice.say(str(error), tone="bad")
                return
            self.session.open()
            if self.session.problem is None:
                self._warn(
                    translate("MainWindow", "The defaults are in use. The old file is kept as {file}.").format(
                        file=kept
                    )
                )

        return button(translate("MainWindow", "Set the file aside and use the defaults"), set_aside)

    def _warn(self, text: str) -> None:
        self.notice.say(text, tone="info")

    def report(self, reason: Reason) -> None:
        """Show a problem above the page."""
        self.notice.explain(reason, "bad")

    def _ask_passphrase(self, answer: Future[str]) -> None:
        text, entered = QInputDialog.getText(
            self,
            translate("MainWindow", "Passphrase"),
            translate("MainWindow", "The enrolment database is protected. Its passphrase:"),
            QLineEdit.EchoMode.Password,
        )
        if answer.cancelled():
            return
        if entered:
            answer.set_result(text)
        else:
            answer.set_exception(Cancelled())

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802 - Qt's name
        """Give devices back, stop all work, then close."""
        for page in self._pages.values():
            page.left()
        self.hide()
        self.session.close()
        event.accept()


def _wide_button(text: str) -> QToolButton:
    made = QToolButton()
    made.setProperty("role", "navigation")
    made.setText(f"  {text}")  # the style leaves no room between icon and text
    made.setAccessibleName(text)
    made.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    made.setIconSize(QSize(20, 20))
    made.setCursor(Qt.CursorShape.PointingHandCursor)
    made.setSizePolicy(made.sizePolicy().Policy.Expanding, made.sizePolicy().Policy.Fixed)
    made.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    return made
