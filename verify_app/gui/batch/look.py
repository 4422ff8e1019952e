"""What a look before the run found."""

from __future__ import annotations

from PySide6.QtWidgets import QGridLayout, QProgressBar

from verify_app.gui import words
from verify_app.gui.text import translate
from verify_app.gui.widgets.basic import Card, clear, label
from verify_app.gui.widgets.notice import Notice
from verify_app.reasons import Reason
from verify_app.services.batch.validate import Look
from verify_app.services.jobs import Progress
from verify_app.services.pace import duration


class LookCard(Card):
    """Counts, files that cannot be used, and the time it will take."""

    def __init__(self) -> None:
        self.hint = label(
            translate(
                "LookCard",
                "A look before the run counts the files, tells which cannot be used and why, and how long it takes.",
            ),
            "muted",
            wrap=True,
        )
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.hide()
        self.notice = Notice()
        self.figures = QGridLayout()
        self.figures.setHorizontalSpacing(16)
        self.figures.setVerticalSpacing(4)
        self.figures.setColumnStretch(0, 1)
        super().__init__(
            label(translate("LookCard", "Before the run"), "h3"), self.hint, self.bar, self.notice, self.figures, gap=8
        )

    def clear_look(self) -> None:
        """Another job is described: what was found is no longer true."""
        clear(self.figures)
        self.notice.hide()
        self.bar.hide()
        self.hint.show()

    def begin(self) -> None:
        """Looking."""
        self.clear_look()
        self.hint.hide()
        self.bar.setRange(0, 0)
        self.bar.show()

    def show_progress(self, progress: Progress) -> None:
        """So many of the sampled files are read."""
        self.bar.setRange(0, progress.total)
        self.bar.setValue(progress.done)

    def refuse(self, reason: Reason) -> None:
        """There is nothing to look at."""
        self.bar.hide()
        self.notice.explain(reason, "bad")

    def show_look(self, look: Look) -> None:
        """Show what was found."""
        self.bar.hide()
        self._line(translate("LookCard", "Files"), words.number(look.files), strong=True)
        for kind, count in look.kinds.items():
            self._line(f"    {_kind_name(kind)}", words.number(count), tone=_kind_tone(kind))
        if look.claimed:
            self._line(translate("LookCard", "With a claim"), words.number(look.claimed))
        if look.sampled:
            self._line(translate("LookCard", "Read to the end as a sample"), words.number(look.sampled))
        for code, count in sorted(look.reasons.items()):
            self._line(f"    {_kind_name(code)}", words.number(count), tone="warn")
        if look.seconds is not None:
            self._line(translate("LookCard", "Estimated time"), duration(look.seconds), strong=True)

    def _line(self, name: str, value: str, *, tone: str = "", strong: bool = False) -> None:
        at = self.figures.rowCount()
        self.figures.addWidget(label(name, "h3" if strong else tone, wrap=True), at, 0)
        self.figures.addWidget(label(value, "h3" if strong else tone), at, 1)


def _kind_tone(kind: str) -> str:
    return "muted" if kind in ("image", "audio", "video", "archived") else "warn"


def _kind_name(kind: str) -> str:
    known = {
        "image": translate("LookCard", "Pictures"),
        "audio": translate("LookCard", "Recordings"),
        "video": translate("LookCard", "Videos"),
        "archived": translate("LookCard", "In archives"),
        "file_empty": translate("LookCard", "Empty"),
        "format_unsupported": translate("LookCard", "Neither picture nor recording"),
        "file_unreadable": translate("LookCard", "Unreadable"),
        "file_truncated": translate("LookCard", "Cut off"),
        "no_face": translate("LookCard", "Without a face"),
        "several_faces": translate("LookCard", "With several faces"),
        "no_speech": translate("LookCard", "Without speech"),
    }
    return known.get(kind, kind.replace("_", " ").capitalize())
