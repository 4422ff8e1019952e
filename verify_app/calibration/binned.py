"""Scored trials in bins: small enough to ship, and true to what matters.

The bins of non-mated scores are narrow where scores are rare, so that false-match rates stay exact at their
edges down to a single trial. Counts are kept for each pair of subjects, and those of mated scores for each
subject: so intervals that respect how trials share people come out as they would from the scores themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verify_app.evaluation.trials import Scores, TrialScores, subject_codes

LEVELS = 64
"""Bins of the non-mated scores, spaced evenly in the logarithm of the rate above them, and evenly in the body."""
MATED_LEVELS = 128

Counts = NDArray[np.uint16]


@dataclass(frozen=True, slots=True, eq=False)
class BinnedTrials:
    """How many trials of each pair of subjects score within each bin.

    Attributes:
        pairs: uint16 array (k, 2), numbers of two different subjects, the smaller first.
        edges: float64 array (b + 1,), ascending edges of the bins of non-mated scores, up to the highest.
        counts: uint16 array (k, b).
        subjects: uint16 array (m,), subjects with mated trials.
        mated_edges: float64 array (c + 1,).
        mated_counts: uint16 array (m, c).
    """

    pairs: Counts
    edges: Scores
    counts: Counts
    subjects: Counts
    mated_edges: Scores
    mated_counts: Counts

    @classmethod
    def of(cls, trials: TrialScores) -> BinnedTrials:
        """Count trials, which must name their subjects: at most 65 535 of a pair in a bin."""
        codes = subject_codes(trials)
        if codes is None:
            raise ValueError("the trials do not name their subjects")
        first, second = np.minimum(codes.reference, codes.probe), np.maximum(codes.reference, codes.probe)
        others, same = ~trials.mated, trials.mated
        n = int(np.count_nonzero(others))
        rare, body = np.logspace(np.log10(1 / n), 0, LEVELS), np.linspace(0.05, 1, LEVELS // 2)
        low = 1 - np.logspace(-4, -2, LEVELS // 8)  # scores far below the others
        shares = np.unique(np.concatenate([rare, body, low]))
        edges = _edges(trials.scores[others], 1 - shares)
        mated_edges = _edges(trials.scores[same], np.linspace(0, 1, MATED_LEVELS + 1)[:-1])
        joined, counts = _counted(first[others] * codes.count + second[others], trials.scores[others], edges)
        subjects, mated_counts = _counted(first[same], trials.scores[same], mated_edges)
        pairs = np.column_stack(np.divmod(joined, codes.count)).astype(np.uint16)
        return cls(pairs, edges, counts, subjects.astype(np.uint16), mated_edges, mated_counts)

    def trials(self) -> TrialScores:
        """Trials with these counts; within a bin their scores are spread evenly, in no order."""
        rng = np.random.default_rng(0)
        scores, rows = _spread(self.edges, self.counts, rng)
        mated_scores, mated_rows = _spread(self.mated_edges, self.mated_counts, rng)
        first = np.concatenate([self.pairs[rows, 0], self.subjects[mated_rows]]).astype(np.int64)
        second = np.concatenate([self.pairs[rows, 1], self.subjects[mated_rows]]).astype(np.int64)
        return TrialScores(np.concatenate([scores, mated_scores]), first == second, first, second)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The columns by name, for an NPZ file."""
        return {name: getattr(self, name) for name in _COLUMNS}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> BinnedTrials:
        """Read the columns back; KeyError when one is missing, ValueError when they do not fit together."""
        columns = {name: arrays[name] for name in _COLUMNS}
        for edges, counts, keys in (("edges", "counts", "pairs"), ("mated_edges", "mated_counts", "subjects")):
            if columns[counts].shape != (len(columns[keys]), columns[edges].size - 1):
                raise ValueError(f"{counts} has the shape {columns[counts].shape}")
            if not np.isfinite(columns[edges]).all() or (np.diff(columns[edges]) <= 0).any():
                raise ValueError(f"{edges} does not rise")
        return cls(**columns)


_COLUMNS = ("pairs", "edges", "counts", "subjects", "mated_edges", "mated_counts")


def _edges(scores: Scores, quantiles: Scores) -> Scores:
    found = np.unique(np.quantile(scores, np.sort(quantiles), method="lower"))
    top = float(scores.max())
    return np.append(found[found < top], top)


def _counted(keys: NDArray[np.int64], scores: Scores, edges: Scores) -> tuple[NDArray[np.int64], Counts]:
    """The distinct keys, and the number of scores of each in each bin."""
    names, code = np.unique(keys, return_inverse=True)
    bins = edges.size - 1
    place = np.clip(np.searchsorted(edges, scores, side="right") - 1, 0, bins - 1)
    counts = np.bincount(code * bins + place, minlength=names.size * bins).reshape(names.size, bins)
    if counts.max() > np.iinfo(np.uint16).max:
        raise ValueError("a pair of subjects has too many trials in one bin")
    return names, counts.astype(np.uint16)


def _spread(edges: Scores, counts: Counts, rng: np.random.Generator) -> tuple[Scores, NDArray[np.int64]]:
    """A score for every count, and the row of the counts that it belongs to."""
    scores, rows = [], []
    for place in range(edges.size - 1):
        own = np.repeat(np.arange(len(counts)), counts[:, place].astype(np.int64))
        part = (rng.permutation(own.size) + 0.5) / max(own.size, 1)
        scores.append(edges[place] + part * (edges[place + 1] - edges[place]))
        rows.append(own)
    return np.concatenate(scores), np.concatenate(rows)
