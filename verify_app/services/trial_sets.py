"""Sets of trials to calibrate on: from the people enrolled, a labelled folder, a table, or finished scores."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from verify_app.domain import Modality
from verify_app.evaluation.trials import TrialScores
from verify_app.reasons import Reason, ReasonCode, StateError, UnusableInput
from verify_app.services.jobs import CancelledCheck, ProgressCallback, never_cancelled, no_progress, stop_if

if TYPE_CHECKING:
    from verify_app.matching.fitting import CrossFitted
    from verify_app.services.application import Application

ANY_CONTRACT = "any"
"""Contract of scores from elsewhere: a calibration on them decides nothing here."""
MOST_SAMPLES = 3000
"""All pairs of more samples than this are too many to hold; choose fewer, or give a table of trials."""


@dataclass(frozen=True, slots=True)
class LabelledSample:
    """One sample behind the trials.

    Attributes:
        name: the file, or the id of a stored sample.
        subject: whose it is.
        stored: True for a sample of the enrolment database.
        files: the files that were combined into it, where there were several; the first is its name.
    """

    name: str
    subject: str
    stored: bool = False
    files: tuple[str, ...] = ()

    @property
    def all_files(self) -> tuple[str, ...]:
        """The files behind it."""
        return self.files or (self.name,)


@dataclass(frozen=True, slots=True, eq=False)
class TrialSet:
    """Scored trials and where they come from.

    Attributes:
        trials: the scores with the truth.
        samples: the samples behind them; empty for finished scores.
        reference, probe: int64 arrays (n,), rows of ``samples`` (for several references, of the first one);
            None for finished scores.
        modality: ``"face"``, ``"voice"`` or another word for scores from elsewhere.
        contract_id: which embeddings were compared.
        similarity: how.
        device_class: what the samples were captured with.
        source: where they come from, in words.
        references: reference samples behind each score.
        history: what was done to the trials, one sentence each.
        failures: samples that could not be used, with the reason.
        vectors: float32 array (samples, d) of embeddings, None for finished scores.
        every_pair: whether the trials are all pairs of the samples, so that others may be made of them.
        parameters: what a calibration keeps of a fitted similarity, None for one that needs no fitting.
        aligned: whether the files are aligned crops already.
    """

    trials: TrialScores
    samples: tuple[LabelledSample, ...]
    reference: NDArray[np.int64] | None
    probe: NDArray[np.int64] | None
    modality: str
    contract_id: str
    similarity: str
    device_class: str
    source: str
    references: int = 1
    history: tuple[str, ...] = ()
    failures: tuple[tuple[str, Reason], ...] = ()
    vectors: NDArray[np.float32] | None = None
    every_pair: bool = False
    parameters: dict[str, Any] | None = None
    aligned: bool = False

    def without(self, rows: ArrayLike, reason: str) -> TrialSet:
        """The set without some trials; the exclusion is written into the history, a fitted similarity is fitted again.

        Args:
            rows: rows of ``trials`` to leave out.
            reason: why, for the record; not empty.

        Raises:
            UnusableInput: TRIALS_ONE_CLASS or TRIALS_TOO_FEW when nothing useful would be left.
        """
        gone = np.zeros(len(self.trials), dtype=np.bool_)
        gone[np.asarray(rows, dtype=np.int64)] = True
        if not reason.strip():
            raise UnusableInput(ReasonCode.USAGE, "An exclusion needs a reason.", "Say why the trials are left out.")
        if gone.all():
            raise UnusableInput(ReasonCode.TRIALS_TOO_FEW, "No trial would be left.", "Exclude fewer.")
        kept = self.trials.select(~gone).require_both_classes()
        count = int(np.count_nonzero(gone))
        what = "1 comparison" if count == 1 else f"{count} comparisons"
        less = replace(
            self,
            trials=kept,
            reference=None if self.reference is None else self.reference[~gone],
            probe=None if self.probe is None else self.probe[~gone],
            history=(*self.history, f"Left out {what}: {' '.join(reason.split())}"),
        )
        return less if self.parameters is None else less.compared_by(self.similarity)

    def rows_of(self, sample: int) -> NDArray[np.int64]:
        """The trials a sample takes part in."""
        if self.reference is None or self.probe is None:
            return np.zeros(0, dtype=np.int64)
        return np.flatnonzero((self.reference == sample) | (self.probe == sample))

    @property
    def used(self) -> NDArray[np.int64]:
        """Rows of the samples that take part in a trial, in order."""
        if self.reference is None or self.probe is None:
            return np.zeros(0, dtype=np.int64)
        return np.union1d(self.reference, self.probe)

    def compared_by(self, similarity: str) -> TrialSet:
        """The same trials under another similarity; one that needs fitting is cross-fitted.

        See :mod:`verify_app.matching.fitting`.

        Raises:
            StateError: the embeddings are not at hand (finished scores), or fitting needs the names of the people.
            UsageError: there is no such similarity.
            UnusableInput: TRIALS_TOO_FEW when there are too few people to fit on some and calibrate on others.
        """
        from verify_app.calibration.model import UNFITTED
        from verify_app.matching.similarity import similarity as named

        if similarity == self.similarity and self.parameters is None:
            return self
        if self.vectors is None or self.reference is None or self.probe is None:
            raise StateError(
                ReasonCode.USAGE, "These are scores without embeddings.", "Load people or a labelled folder instead."
            )
        if similarity not in UNFITTED:
            return self._cross_fitted(similarity)
        scores = named(similarity).compare(self.vectors, self.vectors)[self.reference, self.probe]
        return replace(self, trials=replace(self.trials, scores=scores), similarity=similarity, parameters=None)

    def _cross_fitted(self, similarity: str) -> TrialSet:
        from verify_app.matching.fitting import cross_fit
        from verify_app.matching.pairs import PairScores

        used, subjects = self.used, np.array([sample.subject for sample in self.samples])
        if self.vectors is None or not all(subjects[used]):
            raise StateError(
                ReasonCode.USAGE,
                f"To fit {similarity} it must be known who is in which file.",
                "Give the table the columns reference_subject and probe_subject.",
            )
        rows = np.full(len(self.samples), -1, dtype=np.int64)
        rows[used] = np.arange(used.size)
        pairs = PairScores(self.trials, rows[self.reference], rows[self.probe], np.arange(used.size)[:, None])
        found = cross_fit(similarity, self.vectors[used], subjects[used], pairs)
        return self.fitted_by(found, used)

    def fitted_by(self, found: CrossFitted, used: NDArray[np.int64]) -> TrialSet:
        """The set with cross-fitted scores; ``used`` are the rows of the samples that were given to the fit."""
        from verify_app.matching.records import as_record, embeddings_in

        record = as_record(found.similarity)
        held = embeddings_in(record)
        samples = [self.samples[row] for row in used[found.rows]] if held else []
        parameters = {
            "record": record,
            "contract": self.contract_id,
            "embeddings": held,
            "samples": [sample.name for sample in samples if sample.stored],
            "subjects": found.subjects,
        }
        trials = replace(self.trials, scores=found.scores)
        return replace(self, trials=trials, similarity=found.similarity.name, parameters=parameters)


def from_people(app: Application, modality: Modality, similarity: str = "cosine") -> TrialSet:
    """All pairs of the samples enrolled under the present contract.

    Raises:
        StateError: NOBODY_ENROLLED.
        UnusableInput: TRIALS_TOO_FEW with fewer than two people, or nobody with two samples.
    """
    from verify_app.services.storage import store_errors

    contract = app.contract(modality)
    with store_errors():
        people = {person.id: person.name for person in app.store.people()}
        templates = app.store.templates(contract.id)
        devices = {
            sample.id: sample.device_class
            for person_id in {template.person_id for template in templates}
            for sample in app.store.samples(person_id)
        }
    if not templates:
        raise StateError(
            ReasonCode.NOBODY_ENROLLED,
            f"Nobody is enrolled by {modality} with the encoder in use.",
            f"Enrol at least two people with two {modality} samples each.",
        )
    samples = [LabelledSample(one.sample_id, people[one.person_id], stored=True) for one in templates]
    vectors = np.stack([np.frombuffer(one.vector, "<f4") for one in templates])
    kinds = {devices.get(one.sample_id, "file") for one in templates}
    device = kinds.pop() if len(kinds) == 1 else "mixed"
    source = f"{len({one.person_id for one in templates})} enrolled people"
    return _all_pairs(samples, vectors, modality, contract.id, similarity, device, source)


def from_folder(
    app: Application,
    folder: str | Path,
    modality: Modality,
    similarity: str = "cosine",
    *,
    aligned: bool = False,
    progress: ProgressCallback = no_progress,
    cancelled: CancelledCheck = never_cancelled,
) -> TrialSet:
    """All pairs of the samples in a folder that has one folder per person.

    Raises:
        UnusableInput: there is no such folder, too few people or samples in it, or none of them can be used.
    """
    from verify_app.services.embed import EmbedOptions, embed_files

    root = Path(folder)
    named = _labelled_files(root)
    options = EmbedOptions(modality, "largest-centred", aligned, gates=False)
    samples, vectors, failures = [], [], []
    files = [file for file, _ in named]
    owners = dict(named)
    for result in embed_files(app, files, options, root=root, progress=progress, cancelled=cancelled):
        if result.vector is not None:
            samples.append(LabelledSample(str(root / result.file), owners[result.file]))
            vectors.append(result.vector)
        elif result.reason is not None:
            failures.append((result.file, result.reason))
    if not vectors:
        first = failures[0][1]
        raise UnusableInput(first.code, f"None of the {len(files)} files can be used: {first.message}", first.advice)
    stop_if(cancelled)
    contract_id = app.contract(modality).id
    made = _all_pairs(samples, np.stack(vectors), modality, contract_id, similarity, "file", f"folder {root.name}")
    return replace(made, failures=tuple(failures), aligned=aligned)


def from_trials(
    app: Application,
    table_file: str | Path,
    modality: Modality | None = None,
    *,
    root: Path | None = None,
    aligned: bool = False,
    progress: ProgressCallback = no_progress,
    cancelled: CancelledCheck = never_cancelled,
) -> TrialSet:
    """The trials of a table of files (see :mod:`verify_app.services.trial_table`), embedded and compared here.

    Raises:
        UnusableInput: the table is invalid, or a class of trials is missing.
    """
    from verify_app.matching.references import combine
    from verify_app.services.evaluate import SIMILARITY, EvaluateOptions, evaluate

    options = EvaluateOptions(modality=modality, root=root, aligned=aligned)
    found = evaluate(app, table_file, options, progress=progress, cancelled=cancelled)
    rows = np.flatnonzero(found.scored)
    chosen = [found.table.trials[row] for row in rows]
    base = root if root is not None else Path(table_file).parent
    named = all(name in found.table.columns for name in ("reference_subject", "probe_subject"))
    place: dict[tuple[str, ...], int] = {}  # one sample for each file, and for files that are combined
    samples: list[LabelledSample] = []
    for trial in chosen:
        for files, column in ((trial.references, "reference_subject"), ((trial.probe,), "probe_subject")):
            if place.setdefault(files, len(place)) == len(samples):
                paths = tuple(str(base / file) for file in files)
                subject = trial.extra[column] if named else ""
                samples.append(LabelledSample(paths[0], subject, files=paths if len(paths) > 1 else ()))
    subjects: dict[str, NDArray[Any]] = {}
    if named:
        subjects = {
            name: np.array([trial.extra[name] for trial in chosen]) for name in ("reference_subject", "probe_subject")
        }
    counts = {len(trial.references) for trial in chosen}
    return TrialSet(
        TrialScores(found.scores[rows], np.array([trial.mated for trial in chosen]), **subjects).require_both_classes(),
        tuple(samples),
        np.array([place[trial.references] for trial in chosen], dtype=np.int64),
        np.array([place[(trial.probe,)] for trial in chosen], dtype=np.int64),
        found.modality.value,
        found.contract_id,
        SIMILARITY,
        "file",
        f"table {Path(table_file).name}",
        references=min(counts),
        failures=tuple(found.failures.items()),
        vectors=np.stack([combine(np.stack([found.vectors[file] for file in files])) for files in place]),
        aligned=aligned,
    )


def from_shipped(app: Application, modality: Modality, references: int = 1) -> TrialSet:
    """The trials that the general calibration was fitted to, as they come with the encoder: counted in narrow bins.

    Raises:
        StateError: NO_CALIBRATION when none come with the encoder, CALIBRATION_INVALID when they are of another one.
    """
    from verify_app.calibration.shipped import trials

    entry = app.manifest.default(f"{modality.value}-encoder")
    scored = trials(entry.path.parent, entry.contract.id, references)
    source = f"the general set shipped with {entry.name}"
    return TrialSet(
        scored, (), None, None, modality.value, entry.contract.id, "cosine", "file", source, references=references
    )


def from_scores(
    file: str | Path, modality: str = "scores", contract_id: str = ANY_CONTRACT, similarity: str = "scores"
) -> TrialSet:
    """Finished scores from a CSV or NPZ file (see :mod:`verify_app.services.score_table`).

    Raises:
        UnusableInput: the file or its content cannot be used; the line and the column are named.
    """
    from verify_app.services.score_table import read_scores

    trials = read_scores(file)
    name = f"scores {Path(file).name}"
    return TrialSet(trials, (), None, None, modality, contract_id, similarity, "file", name)


def modality_of_folder(folder: str | Path) -> Modality:
    """The modality of the first file that can be told, in a folder with one folder per person.

    Raises:
        UnusableInput: there is no such folder, too few people in it, or no file can be told.
    """
    from verify_app.services.embed import modality_of

    root = Path(folder)
    return modality_of([file for file, _ in _labelled_files(root)], root)


def _labelled_files(root: Path) -> list[tuple[str, str]]:
    """(file relative to the root, person) of every visible file in a folder of a person."""
    if not root.is_dir():
        raise UnusableInput(
            ReasonCode.FILE_NOT_FOUND, f"There is no folder {root}.", "Choose a folder with one folder per person."
        )
    found = [
        (str(file.relative_to(root)), folder.name)
        for folder in sorted(root.iterdir())
        if folder.is_dir() and not folder.name.startswith(".")
        for file in sorted(folder.rglob("*"))
        if file.is_file() and not file.name.startswith(".")
    ]
    if len({person for _, person in found}) < 2:
        raise UnusableInput(
            ReasonCode.TRIALS_TOO_FEW,
            f"{root} holds fewer than two people's folders with files.",
            "Put the samples of each person into a folder of their own.",
        )
    return found


def _all_pairs(
    samples: list[LabelledSample],
    vectors: NDArray[np.float32],
    modality: Modality,
    contract_id: str,
    similarity: str,
    device_class: str,
    source: str,
) -> TrialSet:
    from verify_app.matching.pairs import score_pairs

    subjects = np.array([sample.subject for sample in samples])
    names, counts = np.unique(subjects, return_counts=True)
    if names.size < 2 or counts.max() < 2:
        missing = "two people" if names.size < 2 else "a person with two samples"
        raise UnusableInput(
            ReasonCode.TRIALS_TOO_FEW,
            f"A calibration needs at least {missing}; there are {len(samples)} {modality} samples of {names.size}.",
            "Add samples: two each of two people is the least, and proves very little.",
        )
    if len(samples) > MOST_SAMPLES:
        raise UnusableInput(
            ReasonCode.USAGE,
            f"All pairs of {len(samples)} samples are too many (the most is {MOST_SAMPLES} samples).",
            "Choose fewer samples, or give a table of trials.",
        )
    pairs = score_pairs(vectors, subjects)
    made = TrialSet(
        pairs.trials,
        tuple(samples),
        pairs.reference_rows,
        pairs.probe_rows,
        modality.value,
        contract_id,
        "cosine",
        device_class,
        source,
        vectors=vectors,
        every_pair=True,
    )
    return made.compared_by(similarity)
