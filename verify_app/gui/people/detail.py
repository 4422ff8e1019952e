"""One person: since when, which samples of what quality, made by which encoder."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from PySide6.QtCore import QDate, QLocale, Signal
from PySide6.QtWidgets import QStackedWidget, QWidget

from verify_app.gui import words
from verify_app.gui.images import pixmap_from_bytes
from verify_app.gui.text import translate
from verify_app.gui.widgets.basic import Card, IconLabel, button, clear, column, icon_button, label, row, scrolling
from verify_app.gui.widgets.face_view import Picture
from verify_app.gui.widgets.flow import FlowLayout
from verify_app.gui.widgets.notice import Notice
from verify_app.gui.widgets.quality import Bar
from verify_app.services.people import PersonOverview

if TYPE_CHECKING:
    from verify_app.services.people import StoredSample


class SampleCard(Card):
    """One stored sample."""

    WIDTH = 176

    def __init__(self, sample: StoredSample, remove: object) -> None:
        super().__init__(margin=12, gap=6)
        self.setFixedWidth(self.WIDTH)
        if sample.thumbnail:
            picture = Picture(self.WIDTH - 26, self.WIDTH - 26)
            picture.show_pixmap(pixmap_from_bytes(sample.thumbnail))
            self.body.addWidget(picture)
        else:
            holder = Card(role="sunken", margin=0)
            holder.setFixedHeight(self.WIDTH - 26)
            holder.body.addLayout(row(1, IconLabel(sample.modality, 48), 1))
            self.body.addWidget(holder)
        out = icon_button("trash", translate("SampleCard", "Remove this sample"), remove)  # type: ignore[arg-type]
        self.body.addLayout(row(label(words.modality_name(sample.modality), "h3"), 1, out, gap=4))
        score = float(sample.quality.get("score", 0.0))
        bar = Bar()
        bar.set_share(score)
        bar.setAccessibleName(translate("SampleCard", "Quality {score} of 1").format(score=f"{score:.2f}"))
        self.body.addLayout(row(bar, label(f"{score:.2f}", "small"), gap=8))
        self.body.addWidget(label(_date(sample.created), "small"))
        source = label(words.source_name(sample.source), "small", wrap=True)
        source.setToolTip(sample.source)
        self.body.addWidget(source)
        self.body.addStretch(1)


class PersonDetail(QStackedWidget):
    """Everything stored about one person.

    Signals:
        rename_wanted, remove_wanted, export_wanted: about the person shown.
        sample_unwanted: id of a sample to remove.
    """

    rename_wanted = Signal()
    remove_wanted = Signal()
    export_wanted = Signal()
    sample_unwanted = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._name = label("", "h2", wrap=True, selectable=True)
        self._facts = label("", "muted", wrap=True)
        self._encoders = label("", "small", wrap=True)
        self.notice = Notice()
        buttons = row(
            button(translate("PersonDetail", "Rename…"), self.rename_wanted.emit, icon="pencil"),
            button(translate("PersonDetail", "Export…"), self.export_wanted.emit, icon="export"),
            button(translate("PersonDetail", "Remove…"), self.remove_wanted.emit, role="danger", icon="trash"),
            gap=8,
        )
        head = row(gap=16)
        head.addWidget(self._name, 1)
        head.addLayout(buttons)
        self._samples = FlowLayout()
        samples = QWidget()
        samples.setLayout(self._samples)
        body = QWidget()
        body.setLayout(column(samples, 1))
        shown = QWidget()
        shown.setLayout(column(Card(head, self._facts, self._encoders, self.notice, gap=6), scrolling(body), gap=16))
        self._shown, self._nobody = shown, QWidget()
        self.addWidget(self._nobody)
        self.addWidget(shown)

    def show_nobody(self) -> None:
        """Nobody is chosen."""
        self.setCurrentWidget(self._nobody)

    def show_person(self, overview: PersonOverview, samples: list[StoredSample]) -> None:
        """Show somebody."""
        self._name.setText(overview.person.name)
        parts = [
            translate("PersonDetail", "Enrolled {date}").format(date=_date(overview.person.created)),
            translate("PersonDetail", "%n face sample(s)", n=overview.faces),
            translate("PersonDetail", "%n voice sample(s)", n=overview.voices),
        ]
        encoders = [_encoder(contract) for contract in overview.contracts]
        self._facts.setText("  ·  ".join(parts))
        self._encoders.setText("  ·  ".join(encoders))
        self._encoders.setToolTip("\n".join(overview.contracts))
        self._encoders.setVisible(bool(encoders))
        self.notice.hide()
        if not overview.up_to_date:
            self.notice.say(
                translate("PersonDetail", "Some templates were made by another encoder than the one in use."),
                translate("PersonDetail", "They cannot be compared any more. Enrol new samples of this person."),
                "warn",
            )
        clear(self._samples)
        for sample in samples:
            self._samples.addWidget(SampleCard(sample, lambda s=sample.id: self.sample_unwanted.emit(s)))
        self.setCurrentWidget(self._shown)


def _encoder(contract_id: str) -> str:
    """A contract in short: encoder and the beginning of its digest."""
    name, digest, *_rest = f"{contract_id}/".split("/")
    return translate("PersonDetail", "{encoder}, digest {digest}").format(encoder=name, digest=digest[:10])


def _date(moment: datetime) -> str:
    local = moment.astimezone().date()
    return QLocale().toString(QDate(local.year, local.month, local.day), "d MMM yyyy")
