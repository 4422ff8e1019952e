"""Where the trials come from: the choice of source, modality and similarity, and the loading."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QFileDialog

from verify_app.domain import Modality
from verify_app.gui import words
from verify_app.gui.calibration.ways import fill_with_ways
from verify_app.gui.session import AppWork
from verify_app.gui.text import translate
from verify_app.gui.widgets.basic import Card, button, label, row
from verify_app.services import trial_sets
from verify_app.services.calibrate import from_vector_file
from verify_app.services.trial_sets import TrialSet

PEOPLE, FOLDER, TABLE, SCORES, VECTORS = "people", "folder", "table", "scores", "vectors"
SHIPPED = {"shipped": 1, "shipped-3": 3}
"""The general set that comes with an encoder, by number of references."""
ENDINGS = {TABLE: "CSV (*.csv)", SCORES: "CSV, NPZ (*.csv *.npz)", VECTORS: "NPZ, Parquet (*.npz *.parquet)"}


class SourceBar(Card):
    """The line at the top of the page.

    Signals:
        wanted: work that gives a :class:`TrialSet`, for :meth:`Session.run`.
        library: the saved calibrations are wanted.
        way_changed: another similarity is wanted for what is loaded.
    """

    wanted = Signal(object)
    library = Signal()
    way_changed = Signal()

    def __init__(self, kinds: Sequence[str] = (PEOPLE, FOLDER, TABLE, SCORES, VECTORS, *SHIPPED)) -> None:
        super().__init__(margin=12)
        self.source = QComboBox()
        self.source.setAccessibleName(translate("SourceBar", "Source of the comparisons"))
        names = {
            PEOPLE: translate("SourceBar", "Enrolled people"),
            FOLDER: translate("SourceBar", "Folder with one folder per person…"),
            TABLE: translate("SourceBar", "Table of trials…"),
            SCORES: translate("SourceBar", "Finished scores…"),
            VECTORS: translate("SourceBar", "Labelled vectors…"),
            "shipped": translate("SourceBar", "General set of the encoder, one reference"),
            "shipped-3": translate("SourceBar", "General set of the encoder, three references"),
        }
        for key in kinds:
            self.source.addItem(names[key], key)
        self.modality = QComboBox()
        self.modality.setAccessibleName(translate("SourceBar", "Modality"))
        for modality in Modality:
            self.modality.addItem(words.modality_name(modality), modality)
        self.way = QComboBox()
        self.way.setAccessibleName(translate("SourceBar", "How samples are compared"))
        self.way.setMaximumWidth(230)
        fill_with_ways(self.way)
        self.way.activated.connect(lambda _index: self.way_changed.emit())
        self.load_button = button(translate("SourceBar", "Load"), self.load, role="primary")
        self.library_button = button(translate("SourceBar", "Saved calibrations…"), self.library.emit)
        self.body.addLayout(
            row(
                label(translate("SourceBar", "Compare"), "h3"),
                self.source,
                self.modality,
                self.way,
                self.load_button,
                1,
                self.library_button,
                gap=10,
            )
        )

    @property
    def chosen_modality(self) -> Modality:
        """Face or voice."""
        return Modality(self.modality.currentData())

    @property
    def chosen_way(self) -> str:
        """The similarity."""
        return str(self.way.currentData())

    def show_way(self, similarity: str) -> None:
        """Show how the samples that are loaded were compared."""
        place = self.way.findData(similarity.removesuffix(" cosine"))
        if place >= 0:
            self.way.setCurrentIndex(place)

    def load(self) -> None:
        """Ask for a file where the source needs one, and say what work is wanted."""
        kind = self.source.currentData()
        if kind == PEOPLE:
            self.load_people()
            return
        if kind in SHIPPED:
            self.load_shipped(SHIPPED[kind])
            return
        if kind == FOLDER:
            path = QFileDialog.getExistingDirectory(self, translate("SourceBar", "Folder with one folder per person"))
        else:
            path, _ = QFileDialog.getOpenFileName(self, translate("SourceBar", "Open"), "", ENDINGS[kind])
        if path:
            self.load_path(kind, Path(path))

    def load_people(self) -> None:
        """The people enrolled."""
        modality = self.chosen_modality
        work: AppWork[TrialSet] = lambda app, _p, _c: trial_sets.from_people(app, modality)  # noqa: E731
        self.wanted.emit(work)

    def load_shipped(self, references: int = 1) -> None:
        """The general set that comes with the encoder."""
        modality = self.chosen_modality
        work: AppWork[TrialSet] = lambda app, _p, _c: trial_sets.from_shipped(app, modality, references)  # noqa: E731
        self.wanted.emit(work)

    def load_path(self, kind: str, path: Path) -> None:
        """A folder, a table of trials or finished scores."""
        modality = self.chosen_modality
        loaders: dict[str, AppWork[TrialSet]] = {
            FOLDER: lambda app, progress, cancelled: trial_sets.from_folder(
                app, path, modality, progress=progress, cancelled=cancelled
            ),
            TABLE: lambda app, progress, cancelled: trial_sets.from_trials(
                app, path, modality, progress=progress, cancelled=cancelled
            ),
            SCORES: lambda _app, _p, _c: trial_sets.from_scores(path),
            VECTORS: lambda _app, _p, _c: from_vector_file(path),
        }
        self.wanted.emit(loaders[kind])


def summary(trial_set: TrialSet, subjects: int | None, effective: float) -> str:
    """The trials in a sentence, with what they are worth."""
    mated, others = trial_set.trials.mated_count, trial_set.trials.non_mated_count
    counts = translate("SourceBar", "{others} comparisons of different people and {mated} of the same person").format(
        others=words.number(others), mated=words.number(mated)
    )
    parts = [f"{trial_set.source[:1].upper()}{trial_set.source[1:]}: {counts}"]
    if subjects is not None:
        worth = translate("SourceBar", "{subjects} people; worth about {count} independent comparisons")
        parts.append(worth.format(subjects=words.number(subjects), count=words.number(round(effective))))
    if trial_set.parameters is not None:
        fitted = translate("SourceBar", "Every comparison is by a similarity fitted to {count} other people")
        parts.append(fitted.format(count=words.number(trial_set.parameters["subjects"])))
    if trial_set.failures:
        parts.append(translate("SourceBar", "%n sample(s) could not be used", n=len(trial_set.failures)))
    return ". ".join(parts) + "."
