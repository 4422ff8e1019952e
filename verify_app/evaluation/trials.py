"""Scored trials: what every error rate and every calibration is computed from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from verify_app.reasons import ReasonCode, UnusableInput

Scores: TypeAlias = NDArray[np.float64]
Labels: TypeAlias = NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class TrialScores:
    """Comparison scores with the truth about each of them.

    Attributes:
        scores: float64 array (n,), finite, larger is more alike.
        mated: bool array (n,), True where probe and reference are of one subject.
        reference_subject: array (n,) of names or integers, or None when unknown.
        probe_subject: array (n,) of names or integers; given together with ``reference_subject``.
        group: array (n,) of group names (for example a microphone or an age band), or None.
        fold: array (n,) of fold names for cross-validated accuracy, or None.

    Raises:
        UnusableInput: TABLE_INVALID for shapes that differ, no trial at all, a score that is not a
            finite number (the message gives its 1-based row), or only one of the two subject columns.
    """

    scores: Scores
    mated: NDArray[np.bool_]
    reference_subject: Labels | None = None
    probe_subject: Labels | None = None
    group: Labels | None = None
    fold: Labels | None = None

    def __post_init__(self) -> None:
        scores = np.ascontiguousarray(self.scores, dtype=np.float64)
        mated = np.ascontiguousarray(self.mated, dtype=np.bool_)
        object.__setattr__(self, "scores", scores)
        object.__setattr__(self, "mated", mated)
        if scores.ndim != 1 or scores.size == 0:
            raise UnusableInput(ReasonCode.TABLE_INVALID, "There are no trials.", "Give at least one scored trial.")
        if mated.shape != scores.shape:
            raise UnusableInput(
                ReasonCode.TABLE_INVALID, f"There are {scores.size} scores but {mated.size} mated / non-mated labels."
            )
        finite = np.isfinite(scores)
        if not finite.all():
            row = int(np.argmin(finite)) + 1
            raise UnusableInput(
                ReasonCode.TABLE_INVALID,
                f"The score of trial {row} is {scores[row - 1]}, which is not a finite number.",
                "Remove the trial or compute its score again.",
            )
        for name in ("reference_subject", "probe_subject", "group", "fold"):
            column = getattr(self, name)
            if column is None:
                continue
            column = np.asarray(column)
            if column.shape != scores.shape:
                raise UnusableInput(
                    ReasonCode.TABLE_INVALID, f"There are {scores.size} scores but {column.size} values of {name}."
                )
            object.__setattr__(self, name, column)
        if (self.reference_subject is None) != (self.probe_subject is None):
            raise UnusableInput(
                ReasonCode.TABLE_INVALID,
                "Only one of reference_subject and probe_subject is given.",
                "Give both columns or neither.",
            )

    def __len__(self) -> int:
        return int(self.scores.size)

    @property
    def mated_count(self) -> int:
        """Number of mated trials."""
        return int(np.count_nonzero(self.mated))

    @property
    def non_mated_count(self) -> int:
        """Number of non-mated trials."""
        return len(self) - self.mated_count

    def select(self, rows: ArrayLike) -> TrialScores:
        """The trials that ``rows`` (a boolean mask or indices) picks, with every column."""
        index = np.asarray(rows)

        def pick(column: Labels | None) -> Labels | None:
            return None if column is None else column[index]

        return TrialScores(
            self.scores[index],
            self.mated[index],
            pick(self.reference_subject),
            pick(self.probe_subject),
            pick(self.group),
            pick(self.fold),
        )

    def require_both_classes(self) -> TrialScores:
        """These trials again.

        Raises:
            UnusableInput: TRIALS_ONE_CLASS when the mated or the non-mated trials are missing.
        """
        missing = "mated" if self.mated_count == 0 else "non-mated" if self.non_mated_count == 0 else None
        if missing:
            raise UnusableInput(
                ReasonCode.TRIALS_ONE_CLASS,
                f"There is no {missing} trial among the {len(self)} trials.",
                "Error rates need trials of both kinds: the same subject twice, and two different subjects.",
            )
        return self


@dataclass(frozen=True, slots=True, eq=False)
class SubjectCodes:
    """Subjects as small integers.

    Attributes:
        reference: int64 array (n,), 0 <= code < count.
        probe: int64 array (n,).
        count: number of distinct subjects.
        names: array (count,), the subject behind each code.
    """

    reference: NDArray[np.int64]
    probe: NDArray[np.int64]
    count: int
    names: Labels


def subject_codes(trials: TrialScores) -> SubjectCodes | None:
    """Number the subjects of ``trials`` from 0, both roles together; None when subjects are unknown."""
    if trials.reference_subject is None or trials.probe_subject is None:
        return None
    both = np.concatenate([trials.reference_subject, trials.probe_subject])
    if np.issubdtype(both.dtype, np.integer) and both.min() >= 0 and both.max() < 4 * len(trials) + 1024:
        present = np.bincount(both) > 0  # a lookup table: far faster than sorting millions of integers
        names: Labels = np.flatnonzero(present)
        codes = (np.cumsum(present) - 1)[both]
    else:
        if both.dtype == object:
            both = both.astype(str)
        names, codes = np.unique(both, return_inverse=True)
    codes = codes.astype(np.int64, copy=False)
    return SubjectCodes(codes[: len(trials)], codes[len(trials) :], int(names.size), names)
