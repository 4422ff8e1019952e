"""Evaluate: error rates on a table of trials, each file embedded once, failures to acquire counted."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from verify_app.domain import FloatArray, Interval, Modality
from verify_app.reasons import Reason, ReasonCode, UnusableInput, UsageError
from verify_app.services.application import Application
from verify_app.services.cached_embedding import embed_cached
from verify_app.services.embed import EmbedOptions, embed_files, modality_of
from verify_app.services.jobs import CancelledCheck, ProgressCallback, never_cancelled, no_progress
from verify_app.services.output import output_file
from verify_app.services.trial_table import TrialTable, read_trials

if TYPE_CHECKING:
    from verify_app.evaluation.discard import DiscardCurve
    from verify_app.evaluation.report import Summary
    from verify_app.evaluation.trials import TrialScores

SIMILARITY = "cosine"
FEWEST_IN_GROUP = 10
"""A group with fewer mated or non-mated trials than this gets its counts, but no error rates."""


@dataclass(frozen=True, slots=True)
class EvaluateOptions:
    """How trials are evaluated; see :class:`~verify_app.services.embed.EmbedOptions`.

    Attributes:
        modality: face or voice; None for the kind of the first file.
        root: folder that the paths in the table start from; None for the folder of the table.
        aligned: faces are 112 × 112 template-aligned crops.
        faces: what to do with several faces.
        gates: refuse samples of low quality, which then count as failures to acquire.
        cache: use the embeddings that batch jobs keep, and keep new ones there, encrypted.
    """

    modality: Modality | None = None
    root: Path | None = None
    aligned: bool = False
    faces: str = "largest-centred"
    gates: bool = False
    cache: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What an evaluation found.

    Attributes:
        table: the trials.
        modality: face or voice.
        contract_id: which encoder made the scores.
        files: number of files.
        failures: why each failed file failed, by file.
        scores: float64 [n], NaN where a file of the trial failed.
        summary: the figures over the scored trials; None when one class of trials is missing.
        unsummarised: why there is no summary.
        groups: the figures by group; None for a group that is too small.
        vectors: the embedding of each usable file, float32 [d].
        discard: FNMR as mated trials of low quality are set aside, at the threshold of ``discard_fmr``; None
            without a summary.
        discard_fmr: the smallest FMR of the summary that the trials can show, or else its largest.
    """

    table: TrialTable
    modality: Modality
    contract_id: str
    files: int
    failures: Mapping[str, Reason]
    scores: NDArray[np.float64]
    summary: Summary | None = None
    unsummarised: Reason | None = None
    groups: Mapping[str, tuple[int, int, Summary | None]] = field(default_factory=dict)
    vectors: Mapping[str, FloatArray] = field(default_factory=dict)
    discard: DiscardCurve | None = None
    discard_fmr: float | None = None

    @property
    def scored(self) -> NDArray[np.bool_]:
        """Which trials have a score, bool [n]."""
        return np.isfinite(self.scores)

    @property
    def failure_rate(self) -> Interval:
        """Share of files that could not be acquired, with its exact binomial interval."""
        from verify_app.evaluation.intervals import rate_interval

        return rate_interval(len(self.failures) / self.files, self.files)

    def failures_by_reason(self) -> dict[str, list[str]]:
        """Reason code -> the files that failed for it, most frequent first."""
        found: dict[str, list[str]] = {}
        for file, reason in self.failures.items():
            found.setdefault(reason.code.value, []).append(file)
        return dict(sorted(found.items(), key=lambda item: -len(item[1])))


def evaluate(
    app: Application,
    table_file: str | Path,
    options: EvaluateOptions | None = None,
    *,
    progress: ProgressCallback = no_progress,
    cancelled: CancelledCheck = never_cancelled,
    scores_file: str | Path | None = None,
) -> Evaluation:
    """Evaluate the trials of a table. Embeddings are kept in memory only, unless the options ask for the cache.

    A trial with a file that cannot be used has no score: it is a failure to acquire, and is reported apart.

    Raises:
        UnusableInput: the table is invalid, or not one file can be used.
        UsageError: the scores cannot be written.
        Cancelled: between two files, when asked to stop.
    """
    options = options or EvaluateOptions()
    if scores_file is not None:
        scores_file = output_file(scores_file)
    table = read_trials(table_file)
    root = options.root if options.root is not None else Path(table_file).parent
    files = table.files()
    modality = options.modality or modality_of(files, root)
    vectors: dict[str, FloatArray] = {}
    qualities: dict[str, float] = {}
    failures: dict[str, Reason] = {}
    take = EmbedOptions(modality, options.faces, options.aligned, options.gates)
    embed = embed_cached if options.cache else embed_files
    for result in embed(app, files, take, root=root, progress=progress, cancelled=cancelled):
        if result.vector is not None:
            vectors[result.file] = result.vector
            qualities[result.file] = result.quality
        elif result.reason is not None:
            failures[result.file] = result.reason
    if not vectors:
        _raise_all_failed(failures, root)
    scores = score_trials(table, vectors)
    if scores_file is not None:
        write_scores(scores_file, table, scores, failures)
    summary, unsummarised, groups = _summaries(table, scores)
    discard = (None, None) if summary is None else _discard(table, scores, qualities, summary)
    return Evaluation(
        table,
        modality,
        app.contract(modality).id,
        len(files),
        failures,
        scores,
        summary,
        unsummarised,
        groups,
        vectors,
        *discard,
    )


def score_trials(table: TrialTable, vectors: Mapping[str, FloatArray]) -> NDArray[np.float64]:
    """The score of every trial, float64 [n]; NaN where one of its files has no embedding."""
    from verify_app.matching.references import combine
    from verify_app.matching.similarity import similarity

    compare = similarity(SIMILARITY).compare
    by_reference: dict[tuple[str, ...], list[int]] = {}
    for row, trial in enumerate(table.trials):
        if all(file in vectors for file in (*trial.references, trial.probe)):
            by_reference.setdefault(trial.references, []).append(row)
    scores = np.full(len(table.trials), np.nan)
    for references, rows in by_reference.items():
        reference = combine(np.stack([vectors[file] for file in references]))
        probes = np.stack([vectors[table.trials[row].probe] for row in rows])
        scores[rows] = compare(probes, reference[None, :])[:, 0]
    return scores


def write_scores(
    file: str | Path, table: TrialTable, scores: NDArray[np.float64], failures: Mapping[str, Reason]
) -> None:
    """Write the table again with the columns ``score`` and ``failure`` (the reason code of the first failed file)."""
    try:
        with Path(file).open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["reference", "probe", "mated", *table.columns, "score", "failure"])
            for trial, score in zip(table.trials, scores, strict=True):
                failed = [failures[name].code.value for name in (*trial.references, trial.probe) if name in failures]
                writer.writerow(
                    [
                        ";".join(trial.references),
                        trial.probe,
                        int(trial.mated),
                        *(trial.extra[name] for name in table.columns),
                        f"{score:.7g}" if np.isfinite(score) else "",
                        failed[0] if failed else "",
                    ]
                )
    except OSError as error:
        raise UsageError(
            ReasonCode.USAGE, f"{file} cannot be written: {error.strerror}.", "Choose another file."
        ) from None


def _summaries(
    table: TrialTable, scores: NDArray[np.float64]
) -> tuple[Summary | None, Reason | None, dict[str, tuple[int, int, Summary | None]]]:
    """The figures of all scored trials, and by group."""
    from verify_app.evaluation.report import summarise
    from verify_app.evaluation.trials import TrialScores

    scored = np.flatnonzero(np.isfinite(scores))

    def column(name: str) -> NDArray[Any] | None:
        if name not in table.columns:
            return None
        return np.array([table.trials[row].extra[name] for row in scored])

    subjects = (column("reference_subject"), column("probe_subject"))
    if any(one is None for one in subjects):
        subjects = (None, None)
    try:
        trials = TrialScores(
            scores[scored],
            np.array([table.trials[row].mated for row in scored], np.bool_),
            *subjects,
            group=column("group"),
            fold=column("fold"),
        )
        summary = summarise(trials)
    except UnusableInput as error:
        return None, error.reason, {}
    groups: dict[str, tuple[int, int, Summary | None]] = {}
    if trials.group is not None:
        for name in sorted(set(trials.group.tolist())):
            groups[name] = _group(trials, trials.group == name)
    return summary, None, groups


def _group(trials: TrialScores, rows: NDArray[np.bool_]) -> tuple[int, int, Summary | None]:
    from verify_app.evaluation.report import summarise

    part = trials.select(rows)
    enough = min(part.mated_count, part.non_mated_count) >= FEWEST_IN_GROUP
    return part.mated_count, part.non_mated_count, summarise(part) if enough else None


def _discard(
    table: TrialTable, scores: NDArray[np.float64], qualities: Mapping[str, float], summary: Summary
) -> tuple[DiscardCurve, float]:
    """The error-versus-discard curve and its target FMR; a trial is as good as the worst of its files."""
    from verify_app.evaluation.discard import discard_comparisons

    point = next((one for one in reversed(summary.operating_points) if one.supported), summary.operating_points[0])
    mated = [row for row in np.flatnonzero(np.isfinite(scores)) if table.trials[row].mated]
    worst = [
        min(qualities[file] for file in (*trial.references, trial.probe))
        for trial in (table.trials[row] for row in mated)
    ]
    return discard_comparisons(scores[mated], worst, point.threshold), point.target_fmr


def _raise_all_failed(failures: Mapping[str, Reason], root: Path) -> None:
    file, reason = next(iter(failures.items()))
    everything: Sequence[str] = list(failures)
    advice = reason.advice
    if all(one.code is ReasonCode.FILE_NOT_FOUND for one in failures.values()):
        advice = f"Relative paths start from {root}; --root names another folder."
    raise UnusableInput(
        reason.code, f"Not one of {len(everything)} files can be used; the first, {file}: {reason.message}", advice
    )
