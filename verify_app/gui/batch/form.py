"""The form of a batch job."""

from __future__ import annotations

import re
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QLineEdit, QSizePolicy, QWidget

from verify_app.domain import Modality
from verify_app.gui import words
from verify_app.gui.batch.names import question
from verify_app.gui.batch.path_field import PathField
from verify_app.gui.batch.request import JobRequest
from verify_app.gui.text import translate
from verify_app.gui.widgets.basic import Card, column, label, row
from verify_app.reasons import ReasonCode, UsageError
from verify_app.services.batch.choices import Method
from verify_app.services.batch.spec import MANY_PARTS, JobKind, JobSpec

TARGETS = (1e-2, 1e-3, 1e-4)
TABLES = "CSV (*.csv);;* (*)"


def _combo(name: str, choices: list[tuple[str, object]]) -> QComboBox:
    made = QComboBox()
    made.setAccessibleName(name)
    # The longest choice must not make the form wider than the page.
    made.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    made.setMinimumContentsLength(10)
    made.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    for text, value in choices:
        made.addItem(text, value)
    return made


def fill_targets(combo: QComboBox, chosen: float) -> None:
    """Offer the usual operating points and the one in the settings, which is chosen."""
    combo.blockSignals(True)
    combo.clear()
    for target in sorted({*TARGETS, chosen}, reverse=True):
        combo.addItem(words.one_in(target), target)
    combo.setCurrentIndex(combo.findData(chosen))
    combo.blockSignals(False)


class JobForm(QWidget):
    """Everything a job needs; only what the question needs is shown.

    Signals:
        changed: another job is described.
    """

    changed = Signal()

    def __init__(self, target_fmr: float) -> None:
        super().__init__()
        self.kind = _combo(translate("JobForm", "Question"), [(question(kind), kind) for kind in JobKind])
        self.modality = _combo(
            translate("JobForm", "Compare by"),
            [(words.modality_name(modality.value), modality) for modality in Modality],
        )
        self.first, self.second = PathField(""), PathField("")
        self.claim = _combo(
            translate("JobForm", "Claim"),
            [
                (translate("JobForm", "The name of the folder"), "folder"),
                (translate("JobForm", "A part of the file name"), "name"),
                (translate("JobForm", "A table"), "csv"),
                (translate("JobForm", "Nobody knows"), ""),
            ],
        )
        self.expression = QLineEdit("^([^_]+)_")
        self.expression.setAccessibleName(translate("JobForm", "Regular expression for the person in the file name"))
        self.table = PathField(
            translate("JobForm", "Table with the columns file and claim"), folders=False, files=TABLES
        )
        self.patterns = QLineEdit()
        self.patterns.setPlaceholderText(translate("JobForm", "Every file, or for example *.jpg *.png"))
        self.patterns.setAccessibleName(translate("JobForm", "Only files whose name matches"))
        self.faces = _combo(
            translate("JobForm", "Several faces in one picture or video"),
            [
                (translate("JobForm", "Refuse the picture"), "one"),
                (translate("JobForm", "Take the largest face"), "largest"),
                (translate("JobForm", "Take the largest near the middle"), "largest-centred"),
                (translate("JobForm", "Pass over the picture"), "skip"),
                (translate("JobForm", "Take every face"), "all"),
            ],
        )
        self.method = _combo(
            translate("JobForm", "Find groups by"),
            [
                (translate("JobForm", "Mean similarity (agglomerative)"), Method.AGGLOMERATIVE),
                (translate("JobForm", "Density (HDBSCAN)"), Method.HDBSCAN),
            ],
        )
        self.gates = QCheckBox(translate("JobForm", "Refuse samples of poor quality"))
        self.gates.setChecked(True)
        self.aligned = QCheckBox(translate("JobForm", "Pictures are aligned 112 × 112 crops"))
        self.segments = QCheckBox(translate("JobForm", "A row for each stretch of speech in a long recording"))
        self.target = _combo(translate("JobForm", "Strictness"), [])
        fill_targets(self.target, target_fmr)
        self.out = PathField(translate("JobForm", "Folder for the results"))
        self._suggested: Path | None = None
        self._labels: dict[str, QWidget] = {}
        self._lay_out()
        self._connect()
        self._update()

    def _lay_out(self) -> None:
        t = translate
        what = Card(
            label(t("JobForm", "What to find out"), "h3"),
            row(self._field("kind", t("JobForm", "Question"), self.kind),
                self._field("modality", t("JobForm", "Compare by"), self.modality), gap=12),
            self._field("first", t("JobForm", "Folder"), self.first),
            self._field("second", t("JobForm", "Second folder"), self.second),
            row(self._field("claim", t("JobForm", "Who is claimed"), self.claim),
                self._field("expression", t("JobForm", "Regular expression"), self.expression), gap=12),
            self._field("table", t("JobForm", "Table of claims"), self.table),
            gap=10,
        )  # fmt: skip
        how = Card(
            label(t("JobForm", "How to look"), "h3"),
            row(self._field("target", t("JobForm", "False matches accepted"), self.target),
                self._field("faces", t("JobForm", "Several faces in one picture or video"), self.faces), gap=12),
            self._field("method", t("JobForm", "Find groups by"), self.method),
            self._field("patterns", t("JobForm", "Only files named"), self.patterns),
            self.gates, self.aligned, self.segments,
            gap=10,
        )  # fmt: skip
        where = Card(
            label(t("JobForm", "Where the results go"), "h3"),
            self.out,
            label(t("JobForm", "A job that was stopped goes on when it is started with the same folder."), "small",
                  wrap=True),
            gap=8,
        )  # fmt: skip
        self.setLayout(column(what, how, where, 1, gap=12))

    def _field(self, key: str, name: str, widget: QWidget) -> QWidget:
        holder = QWidget()
        caption = label(name, "small")
        caption.setBuddy(widget)
        holder.setLayout(column(caption, widget, gap=3))
        holder.caption = caption  # type: ignore[attr-defined]
        self._labels[key] = holder
        return holder

    def _connect(self) -> None:
        for combo in (self.kind, self.modality, self.claim, self.faces, self.method, self.target):
            combo.currentIndexChanged.connect(lambda _index: self._update())
        for edit in (self.expression, self.patterns):
            edit.textChanged.connect(lambda _text: self._update())
        for path in (self.first, self.second, self.table, self.out):
            path.changed.connect(self._update)
        for box in (self.gates, self.aligned, self.segments):
            box.toggled.connect(lambda _on: self._update())

    def _update(self) -> None:
        kind, face = self._kind, self._modality is Modality.FACE
        claimed = kind in (JobKind.VERIFY, JobKind.GROUP)
        shown = {
            "second": kind in (JobKind.PAIRS, JobKind.CROSS),
            "claim": claimed,
            "expression": claimed and self.claim.currentData() == "name",
            "table": claimed and self.claim.currentData() == "csv",
            "patterns": kind is not JobKind.PAIRS,
            "faces": face,
            "method": kind is JobKind.GROUP,
        }
        for key, visible in shown.items():
            self._labels[key].setVisible(visible)
        self.aligned.setVisible(face)
        self.segments.setVisible(not face and kind in MANY_PARTS)
        self._allow(self.claim, "", kind is JobKind.GROUP)
        self._allow(self.faces, "all", kind in MANY_PARTS)
        self._name_sources(kind)
        self._suggest()
        self.changed.emit()

    def _allow(self, combo: QComboBox, value: str, allowed: bool) -> None:
        """Hide a choice that makes no sense for the question."""
        index = combo.findData(value)
        view = combo.view()
        view.setRowHidden(index, not allowed)  # type: ignore[attr-defined]
        combo.model().item(index).setEnabled(allowed)  # type: ignore[attr-defined]
        if not allowed and combo.currentIndex() == index:
            combo.setCurrentIndex(0)

    def _name_sources(self, kind: JobKind) -> None:
        folder = translate("JobForm", "Folder, zip archive or file")
        anything = translate("JobForm", "Zip archives (*.zip);;All files (*)")
        if kind is JobKind.PAIRS:
            self._caption("first", translate("JobForm", "Table of pairs"))
            self.first.rename(
                translate("JobForm", "Table with the columns reference and probe"), folders=False, files=TABLES
            )
            self._caption("second", translate("JobForm", "Folder that the names start from"))
            self.second.rename(translate("JobForm", "Folder"), folders=True, files="")
            return
        grouping = kind is JobKind.GROUP
        self._caption("claim", translate("JobForm", "Known as") if grouping else translate("JobForm", "Who is claimed"))
        cross = kind is JobKind.CROSS
        self._caption("first", translate("JobForm", "Folder A") if cross else translate("JobForm", "Files"))
        self._caption("second", translate("JobForm", "Folder B"))
        for field in (self.first, self.second):
            field.rename(folder, folders=True, files=anything)

    def _caption(self, key: str, text: str) -> None:
        self._labels[key].caption.setText(text)  # type: ignore[attr-defined]

    def _suggest(self) -> None:
        """A folder for the results beside the source, as long as the user names none."""
        source = self.first.path
        if source is None or self.out.path not in (None, self._suggested):
            return
        made = source.parent / f"{source.stem}-{self._kind.value}"
        if made != self._suggested:
            self._suggested = made
            self.out.set_path(made)

    # Qt keeps the value of an enumeration of strings, not its type.

    @property
    def _kind(self) -> JobKind:
        return JobKind(self.kind.currentData())

    @property
    def _modality(self) -> Modality:
        return Modality(self.modality.currentData())

    @property
    def chosen_method(self) -> Method:
        """How groups are found."""
        return Method(self.method.currentData())

    # -- in and out -------------------------------------------------------------------------------

    def request(self) -> JobRequest:
        """The job described.

        Raises:
            UsageError: something is missing or makes no sense.
        """
        kind = self._kind
        spec = JobSpec.of(
            kind,
            self._modality,
            self._sources(kind),
            claim=self._claim(kind),
            patterns=tuple(self.patterns.text().split()) if kind is not JobKind.PAIRS else (),
            faces=self.faces.currentData(),
            gates=self.gates.isChecked(),
            aligned=self.aligned.isChecked(),
            segments=self.segments.isChecked() and kind in MANY_PARTS,
        )
        out = self.out.path
        if out is None:
            raise UsageError(ReasonCode.USAGE, translate("JobForm", "No folder for the results is chosen."))
        return JobRequest(spec, out.resolve(), float(self.target.currentData()), self.chosen_method)

    def _sources(self, kind: JobKind) -> list[Path]:
        wanted = [self.first, self.second] if kind in (JobKind.PAIRS, JobKind.CROSS) else [self.first]
        found = [field.path for field in wanted]
        missing = [field for field, path in zip(wanted, found, strict=True) if path is None]
        if missing:
            raise UsageError(
                ReasonCode.USAGE,
                translate("JobForm", "Nothing is chosen yet: {what}.").format(what=missing[0].edit.placeholderText()),
            )
        return [path for path in found if path is not None]

    def _claim(self, kind: JobKind) -> str:
        if kind not in (JobKind.VERIFY, JobKind.GROUP):
            return ""
        rule = self.claim.currentData()
        if rule == "name":
            try:
                re.compile(self.expression.text())
            except re.error as error:
                raise UsageError(
                    ReasonCode.USAGE,
                    translate("JobForm", "The regular expression makes no sense: {why}.").format(why=error),
                ) from None
            return f"name:{self.expression.text()}"
        if rule == "csv":
            if self.table.path is None:
                raise UsageError(ReasonCode.USAGE, translate("JobForm", "No table of claims is chosen."))
            return f"csv:{self.table.path.resolve()}"
        return str(rule)

    def show_request(self, request: JobRequest) -> None:
        """Fill the form with a job."""
        spec = request.spec
        self.kind.setCurrentIndex(self.kind.findData(spec.kind))
        self.modality.setCurrentIndex(self.modality.findData(spec.modality))
        self.first.set_path(Path(spec.sources[0]))
        self.second.set_path(Path(spec.sources[1]) if len(spec.sources) > 1 else None)
        rule, _, argument = spec.claim.partition(":")
        self.claim.setCurrentIndex(self.claim.findData(rule))
        if rule == "name":
            self.expression.setText(argument)
        if rule == "csv":
            self.table.set_path(Path(argument))
        self.patterns.setText(" ".join(spec.patterns))
        self.faces.setCurrentIndex(self.faces.findData(spec.faces))
        self.gates.setChecked(spec.gates)
        self.aligned.setChecked(spec.aligned)
        self.segments.setChecked(spec.segments)
        self.method.setCurrentIndex(self.method.findData(request.method))
        fill_targets(self.target, request.target_fmr)
        self.out.set_path(request.out)
        self._update()
