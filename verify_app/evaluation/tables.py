"""Error rates by group and by subject, at one threshold.

The animals are those of Doddington et al. (ICSLP 1998): goats are hard to recognise, lambs are easily
matched by others, wolves match others easily; everybody else is a sheep.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from verify_app.domain import Interval
from verify_app.evaluation import dependence
from verify_app.evaluation.intervals import clopper_pearson, rate_interval
from verify_app.evaluation.trials import SubjectCodes, TrialScores, subject_codes


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One group: its trials and error rates; a rate is None when the group has no such trial."""

    group: str
    mated: int
    non_mated: int
    fmr: Interval | None
    fnmr: Interval | None


def by_group(trials: TrialScores, threshold: float) -> list[GroupRow]:
    """Error rates of every group at ``threshold``, in the order of their names; no groups give no rows."""
    if trials.group is None:
        return []
    names = np.array([str(name) for name in trials.group.tolist()])
    rows = []
    for name in np.unique(names):
        part = trials.select(names == name)
        accepted = part.scores >= threshold
        fmr = fnmr = None
        if part.non_mated_count:
            effective = dependence.non_mated(part).at(threshold)
            fmr = rate_interval(float(np.mean(accepted[~part.mated])), effective)
        if part.mated_count:
            effective = dependence.mated(part).at(threshold)
            fnmr = rate_interval(float(np.mean(~accepted[part.mated])), effective)
        rows.append(GroupRow(str(name), part.mated_count, part.non_mated_count, fmr, fnmr))
    return rows


class Animal(StrEnum):
    """Kinds of subjects."""

    SHEEP = "sheep"
    GOAT = "goat"
    LAMB = "lamb"
    WOLF = "wolf"


@dataclass(frozen=True, slots=True)
class SubjectRow:
    """One subject.

    Attributes:
        subject: the name.
        mated: number of mated trials.
        non_mated_as_reference: number of non-mated trials in which others were compared with it.
        non_mated_as_probe: number of non-mated trials in which it was compared with others.
        fnmr: share of its mated trials rejected; None without any.
        fmr_as_reference: share of the others' attempts accepted; None without any.
        fmr_as_probe: share of its attempts on others accepted; None without any.
        animals: every kind it belongs to; only sheep when none stands out.
    """

    subject: str
    mated: int
    non_mated_as_reference: int
    non_mated_as_probe: int
    fnmr: float | None
    fmr_as_reference: float | None
    fmr_as_probe: float | None
    animals: tuple[Animal, ...]


def by_subject(trials: TrialScores, threshold: float, *, confidence: float = 0.95) -> list[SubjectRow]:
    """Error rates of every subject at ``threshold``, in the order of their names.

    A subject is a goat, lamb or wolf when its error rate is above that of all trials by more than chance
    explains: the exact lower bound, at ``confidence`` shared among the subjects (Bonferroni), lies above.
    Without subjects there are no rows.
    """
    codes = subject_codes(trials)
    if codes is None:
        return []
    accepted = trials.scores >= threshold
    mated, other = trials.mated, ~trials.mated
    shared = 1 - (1 - confidence) / codes.count
    goats = _Share(codes, codes.reference[mated], ~accepted[mated], shared)
    lambs = _Share(codes, codes.reference[other], accepted[other], shared)
    wolves = _Share(codes, codes.probe[other], accepted[other], shared)
    rows = []
    for code in range(codes.count):
        kinds = ((Animal.GOAT, goats), (Animal.LAMB, lambs), (Animal.WOLF, wolves))
        animals = tuple(animal for animal, share in kinds if share.stands_out(code))
        rows.append(
            SubjectRow(
                str(codes.names[code]),
                int(goats.trials[code]),
                int(lambs.trials[code]),
                int(wolves.trials[code]),
                goats.rate(code),
                lambs.rate(code),
                wolves.rate(code),
                animals or (Animal.SHEEP,),
            )
        )
    return rows


class _Share:
    """Errors and trials of every subject in one role."""

    def __init__(
        self, codes: SubjectCodes, subject: NDArray[np.int64], error: NDArray[np.bool_], confidence: float
    ) -> None:
        self.trials = np.bincount(subject, minlength=codes.count)
        self._errors = np.bincount(subject[error], minlength=codes.count)
        self._overall = float(np.mean(error)) if error.size else 0.0
        self._confidence = confidence

    def rate(self, code: int) -> float | None:
        return float(self._errors[code] / self.trials[code]) if self.trials[code] else None

    def stands_out(self, code: int) -> bool:
        if not self.trials[code] or not self._errors[code]:
            return False
        bound = clopper_pearson(float(self._errors[code]), float(self.trials[code]), self._confidence)
        return bound.low > self._overall
