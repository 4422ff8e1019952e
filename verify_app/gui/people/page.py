"""People: who is enrolled, with what; rename, remove, export."""

from __future__ import annotations

import re
from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import (
    QFileDialog,
    QInputDialog,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QMessageBox,
    QStackedWidget,
    QWidget,
)

from verify_app.gui.pages import Page
from verify_app.gui.people.detail import PersonDetail
from verify_app.gui.session import Session
from verify_app.gui.text import translate
from verify_app.gui.widgets.basic import button, column, label, row
from verify_app.gui.widgets.notice import EmptyState, Notice
from verify_app.reasons import Reason
from verify_app.services import people
from verify_app.services.people import PersonOverview, RemovedPerson


class PeoplePage(Page):
    """A list on the left, one person on the right.

    Signals:
        page_wanted: key of the page to go to.
        shown: the list was read again.
    """

    page_wanted = Signal(str)
    shown = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(
            session,
            translate("PeoplePage", "People"),
            translate("PeoplePage", "Everybody enrolled on this computer, and what is stored about them."),
        )
        self.search = QLineEdit()
        self.search.setPlaceholderText(translate("PeoplePage", "Search"))
        self.search.setAccessibleName(translate("PeoplePage", "Search people by name"))
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._filter)
        self.list = QListWidget()
        self.list.setAccessibleName(translate("PeoplePage", "Enrolled people"))
        self.list.currentItemChanged.connect(lambda *_: self._show_current())
        self._count = label("", "small")
        self.notice, self._pending = Notice(closable=True), Notice(closable=True)
        self.detail = PersonDetail()
        self.detail.rename_wanted.connect(self.rename)
        self.detail.remove_wanted.connect(self.ask_to_remove)
        self.detail.export_wanted.connect(self.export)
        self.detail.sample_unwanted.connect(self.ask_to_remove_sample)
        enrol = button(
            translate("PeoplePage", "Enrol somebody"), lambda: self.page_wanted.emit("enrol"), role="primary"
        )
        empty = EmptyState(
            "people",
            translate("PeoplePage", "Nobody is enrolled yet"),
            translate("PeoplePage", "A photo or a recording of a person is enough to begin."),
            enrol,
        )
        side = QWidget()
        side.setFixedWidth(280)
        side.setLayout(column(self.search, self.list, self._count, gap=10))
        filled = QWidget()
        layout = row(side, gap=16)
        layout.addWidget(self.detail, 1)
        filled.setLayout(layout)
        self._filled, self._empty, self._stack = filled, empty, QStackedWidget()
        self._stack.addWidget(filled)
        self._stack.addWidget(empty)
        self.content.addWidget(self.notice)
        self.content.addWidget(self._pending)
        self.content.addWidget(self._stack, 1)
        session.people_changed.connect(self.refresh)
        session.opened.connect(self.refresh)
        self.refresh()

    def entered(self) -> None:
        """Ready to search."""
        self.search.setFocus()

    def refresh(self) -> None:
        """Read the list again."""
        self.session.run(self, lambda app, _p, _c: people.list_people(app), self._show, self._cannot_read)

    def _cannot_read(self, reason: Reason) -> None:
        self._stack.hide()
        self.notice.explain(reason, "bad")
        self.shown.emit()

    def _show(self, found: list[PersonOverview]) -> None:
        self.notice.hide()
        self._stack.show()
        self._stack.setCurrentWidget(self._filled if found else self._empty)
        before = self.current
        self.list.blockSignals(True)
        self.list.clear()
        for one in found:
            item = QListWidgetItem(one.person.name)
            item.setData(Qt.ItemDataRole.UserRole, one)
            item.setToolTip(_summary(one))
            item.setSizeHint(QSize(0, 38))
            self.list.addItem(item)
            if before is not None and before.person.id == one.person.id:
                self.list.setCurrentItem(item)
        if self.list.currentItem() is None and found:
            self.list.setCurrentRow(0)
        self.list.blockSignals(False)
        self._count.setText(translate("PeoplePage", "%n enrolled", n=len(found)))
        self._filter(self.search.text())
        self._show_current()
        self.shown.emit()

    @property
    def current(self) -> PersonOverview | None:
        """The person chosen in the list."""
        item = self.list.currentItem()
        chosen = item.data(Qt.ItemDataRole.UserRole) if item is not None else None
        return chosen if isinstance(chosen, PersonOverview) else None

    def _filter(self, text: str) -> None:
        wanted = " ".join(text.split()).casefold()
        for index in range(self.list.count()):
            item = self.list.item(index)
            item.setHidden(wanted not in item.text().casefold())

    def _show_current(self) -> None:
        chosen = self.current
        if chosen is None:
            self.detail.show_nobody()
            return
        person_id = chosen.person.id
        self.session.run(
            self,
            lambda app, _p, _c: people.show(app, person_id),
            lambda found: self.detail.show_person(*found),
            self._say,
        )

    def _say(self, reason: Reason) -> None:
        self.notice.explain(reason, "bad")

    def rename(self) -> None:
        """Ask for another name and give it."""
        chosen = self.current
        if chosen is None:
            return
        name, agreed = QInputDialog.getText(
            self,
            translate("PeoplePage", "Rename"),
            translate("PeoplePage", "New name of {name}:").format(name=chosen.person.name),
            text=chosen.person.name,
        )
        if agreed and name != chosen.person.name:
            self.rename_to(name)

    def rename_to(self, name: str) -> None:
        """Give the person chosen another name."""
        chosen = self.current
        if chosen is not None:
            person_id = chosen.person.id
            self._change(lambda app, _p, _c: people.rename(app, person_id, name))

    def ask_to_remove(self) -> None:
        """Say what will be erased, and erase it when the user agrees."""
        chosen = self.current
        if chosen is None:
            return
        text = translate("PeoplePage", "Remove {name}?").format(name=chosen.person.name)
        what = translate(
            "PeoplePage",
            "This erases {samples}, with every template and thumbnail made from them. It cannot be undone.",
        ).format(samples=_summary(chosen))
        if self._confirm(text, what, translate("PeoplePage", "Remove")):
            self.remove()

    def remove(self) -> None:
        """Erase the person chosen."""
        chosen = self.current
        if chosen is not None:
            person_id = chosen.person.id
            self.session.run(self, lambda app, _p, _c: people.remove(app, person_id), self._removed, self._say)

    def _removed(self, removed: RemovedPerson) -> None:
        self.session.people_changed.emit()
        if removed.calibrations:
            self.session.calibration_changed.emit()
            self._pending.say(
                translate("PeoplePage", "Calibrations that held embeddings of {name} are removed too: {list}.").format(
                    name=removed.person.name, list=", ".join(removed.calibrations)
                )
            )
        if not removed.erased:
            self._pending.say(
                translate("PeoplePage", "{name} is removed, but not yet erased from the disk.").format(
                    name=removed.person.name
                ),
                translate(
                    "PeoplePage",
                    "Another program was reading the database. The bytes go at the next opening; close that program.",
                ),
                "warn",
            )

    def ask_to_remove_sample(self, sample_id: str) -> None:
        """Erase one sample when the user agrees."""
        text = translate("PeoplePage", "Remove this sample?")
        what = translate(
            "PeoplePage", "This erases the sample's thumbnail, quality and templates. It cannot be undone."
        )
        if self._confirm(text, what, translate("PeoplePage", "Remove")):
            self._change(lambda app, _p, _c: people.remove_sample(app, sample_id))

    def export(self) -> None:
        """Ask for a file and write everything stored about the person to it."""
        chosen = self.current
        if chosen is None:
            return
        suggestion = re.sub(r"[^\w-]+", "-", chosen.person.name).strip("-") or "person"
        file, _ = QFileDialog.getSaveFileName(
            self,
            translate("PeoplePage", "Export everything stored"),
            f"{suggestion}.json",
            "JSON (*.json)",
            options=QFileDialog.Option.DontConfirmOverwrite,  # a file that exists is refused
        )
        if file:
            self.export_to(Path(file))

    def export_to(self, file: Path) -> None:
        """Write everything stored about the person chosen to a file."""
        chosen = self.current
        if chosen is None:
            return
        person_id = chosen.person.id
        self.session.run(self, lambda app, _p, _c: people.export(app, person_id, file), self._exported, self._say)

    def _exported(self, file: Path) -> None:
        self.notice.say(
            translate("PeoplePage", "Written to {file}.").format(file=file),
            translate(
                "PeoplePage", "The file holds biometric data and is not encrypted. Keep it as safe as the person would."
            ),
            "warn",
        )
        self.shown.emit()

    def _change(self, work: object) -> None:
        self.session.run(self, work, lambda _done: self.session.people_changed.emit(), self._say)  # type: ignore[arg-type]

    def _confirm(self, text: str, what: str, action: str) -> bool:
        box = QMessageBox(self)
        box.setIcon(QMessageBox.Icon.Warning)
        box.setText(text)
        box.setInformativeText(what)
        yes = box.addButton(action, QMessageBox.ButtonRole.DestructiveRole)
        box.setDefaultButton(box.addButton(QMessageBox.StandardButton.Cancel))
        box.exec()
        return box.clickedButton() is yes


def _summary(one: PersonOverview) -> str:
    faces = translate("PeoplePage", "%n face sample(s)", n=one.faces)
    voices = translate("PeoplePage", "%n voice sample(s)", n=one.voices)
    return f"{faces}, {voices}"
