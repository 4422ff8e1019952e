"""All trials that a labelled set of embeddings holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verify_app.evaluation.trials import TrialScores
from verify_app.matching.references import combine
from verify_app.matching.similarity import Cosine, Similarity

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class PairScores:
    """Scored trials, and the embeddings behind each.

    Attributes:
        trials: the scored trials, with their subjects.
        reference_rows: int64 array (n,), for each trial the row of ``groups`` that served as reference.
        probe_rows: int64 array (n,), for each trial the row of the embedding that served as probe.
        groups: int64 array (g, references), the embeddings combined into each reference.
    """

    trials: TrialScores
    reference_rows: Rows
    probe_rows: Rows
    groups: Rows


def score_pairs(
    vectors: NDArray[Any],
    subjects: NDArray[Any],
    *,
    references: int = 1,
    similarity: Similarity | None = None,
) -> PairScores:
    """Compare every reference with every sample that is not part of it.

    With one reference every unordered pair of samples is one trial. With more, the samples of a subject
    are cut, in their order, into disjoint groups of that many; each group is combined into one reference
    and compared with all samples outside it. A subject with too few samples is a source of probes alone.

    Args:
        vectors: array (n, d) of embeddings under one contract.
        subjects: array (n,), the subject of each.
        references: samples behind one reference, >= 1.
        similarity: cosine when None.

    Raises:
        UnusableInput: TABLE_INVALID when there is no pair at all.
    """
    chosen = similarity or Cosine()
    subjects = np.asarray(subjects)
    if references == 1:
        first, second = np.triu_indices(len(vectors), 1)
        scores = chosen.compare(vectors, vectors)[first, second]
        groups = np.arange(len(vectors))[:, None]
        of_group = subjects
    else:
        groups = _groups(subjects, references)
        of_group = subjects[groups[:, 0]]
        combined = np.stack([combine(vectors[rows]) for rows in groups]) if len(groups) else vectors[:0]
        outside = np.ones((len(groups), len(vectors)), dtype=np.bool_)
        outside[np.arange(len(groups))[:, None], groups] = False
        first, second = np.nonzero(outside)
        scores = chosen.compare(combined, vectors)[first, second] if len(groups) else np.zeros(0)
    return PairScores(
        TrialScores(scores, of_group[first] == subjects[second], of_group[first], subjects[second]),
        first,
        second,
        groups,
    )


def _groups(subjects: NDArray[Any], size: int) -> Rows:
    found = []
    for subject in np.unique(subjects):
        rows = np.flatnonzero(subjects == subject)
        found += [rows[start : start + size] for start in range(0, rows.size - size + 1, size)]
    return np.array(found, dtype=np.int64).reshape(-1, size)
