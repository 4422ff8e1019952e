"""Fitting a similarity to some people and scoring others by it, so that no score is of people it was fitted to.

The people are cut into folds. A trial is scored by a similarity that has seen nobody of the two folds its
subjects belong to (of one fold and its neighbour, when both are in one). All of these similarities are
fitted to equally many people; the one that is kept is one of them, so that what was calibrated is what decides.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verify_app.matching.normalisation import AsNorm, Local
from verify_app.matching.pairs import PairScores
from verify_app.matching.records import as_record, from_record
from verify_app.matching.reduction import fit_pca, truncate
from verify_app.matching.references import combine
from verify_app.matching.similarity import Cosine, Similarity, Vectors, names, similarity, unit
from verify_app.reasons import ReasonCode, UnusableInput, UsageError

FOLDS = 6
FEWEST_PEOPLE = 2 * FOLDS
SPARED = 1
"""So many of the best in a cohort are left out: a person compared may have been one of them."""
COHORT_SHARE = 4
"""One in so many of a cohort are the nearest that count."""


@dataclass(frozen=True, slots=True, eq=False)
class CrossFitted:
    """Trials scored by similarities fitted to others.

    Attributes:
        scores: float64 array (n,), one per trial.
        similarity: the one to decide by.
        rows: int64 array (k,), the embeddings that it was fitted to.
        subjects: number of people that each of the similarities was fitted to.
    """

    scores: NDArray[np.float64]
    similarity: Similarity
    rows: NDArray[np.int64]
    subjects: int


def fit_similarity(name: str, vectors: Vectors, subjects: NDArray[Any]) -> Similarity:
    """Fit the similarity called ``name`` to embeddings (n, d) of the given subjects (n,).

    Args:
        name: one of :func:`verify_app.matching.similarity.names`, ``pca-D`` or ``truncated-D`` for D dimensions;
            what it is called afterwards (``"as-norm cosine"``) is understood too.
        vectors: array (n, d).
        subjects: array (n,).

    Raises:
        UsageError: USAGE when there is no such similarity.
        UnusableInput: TRIALS_TOO_FEW.
    """
    kind = _kind(name, vectors.shape[1])
    if kind in ("mahalanobis", "lda", "plda", "kernel"):
        found = similarity(kind, vectors=vectors, subjects=subjects)
    elif kind in ("as-norm", "local"):
        cohort = np.stack([unit(vectors[subjects == one]).mean(axis=0) for one in np.unique(subjects)])
        nearest = int(np.clip(len(cohort) // COHORT_SHARE, 5, 200))
        found = (AsNorm if kind == "as-norm" else Local)(Cosine(), unit(cohort), nearest, SPARED)
    elif kind.startswith(("pca-", "truncated-")):
        dimension = int(kind.rpartition("-")[2])
        found = fit_pca(vectors, dimension) if kind.startswith("pca") else truncate(dimension, vectors.shape[1])
    else:
        found = similarity(kind)
    return from_record(as_record(found))  # as it will be when it is read again


def cross_fit(name: str, vectors: Vectors, subjects: NDArray[Any], pairs: PairScores, *, seed: int = 0) -> CrossFitted:
    """Score trials by a similarity fitted to other people.

    Args:
        name: as for :func:`fit_similarity`.
        vectors: array (n, d) of embeddings under one contract.
        subjects: array (n,), the subject of each.
        pairs: the trials; their scores do not matter.
        seed: decides who is in which fold.

    Raises:
        UsageError: USAGE when there is no such similarity.
        UnusableInput: TRIALS_TOO_FEW with fewer than :data:`FEWEST_PEOPLE` people who have two samples.
    """
    _kind(name, vectors.shape[1])
    fold = _folds(np.asarray(subjects), seed)
    references = np.stack([combine(vectors[rows]) for rows in pairs.groups]) if len(pairs.groups) else vectors[:0]
    of_reference, of_probe = fold[pairs.groups[:, 0]][pairs.reference_rows], fold[pairs.probe_rows]
    low, high = np.minimum(of_reference, of_probe), np.maximum(of_reference, of_probe)
    scores = np.full(low.size, np.nan)
    kept: tuple[Similarity, NDArray[np.int64]] | None = None
    for first in range(FOLDS):
        for second in range(first + 1, FOLDS):
            rows = np.flatnonzero((fold != first) & (fold != second))
            fitted = fit_similarity(name, vectors[rows], subjects[rows])
            kept = kept or (fitted, rows)
            within = {first} if second == first + 1 else set()
            within |= {second} if (first, second) == (0, FOLDS - 1) else set()  # the neighbour of the last is the first
            chosen = ((low == first) & (high == second)) | ((low == high) & np.isin(low, sorted(within)))
            _score(fitted, vectors, references, pairs, np.flatnonzero(chosen), scores)
    assert kept is not None  # noqa: S101  there are folds
    return CrossFitted(scores, kept[0], kept[1], int(np.unique(subjects[kept[1]]).size))


def _score(
    fitted: Similarity,
    vectors: Vectors,
    references: Vectors,
    pairs: PairScores,
    trials: NDArray[np.int64],
    scores: NDArray[np.float64],
) -> None:
    """Fill in the scores of some trials; each embedding is compared once."""
    if trials.size == 0:
        return
    reference, left = np.unique(pairs.reference_rows[trials], return_inverse=True)
    probe, right = np.unique(pairs.probe_rows[trials], return_inverse=True)
    scores[trials] = fitted.compare(vectors[probe], references[reference])[right, left]


def _folds(subjects: NDArray[Any], seed: int) -> NDArray[np.int64]:
    """The fold of each embedding; those who have two samples are shared out evenly."""
    people, code, counts = np.unique(subjects, return_inverse=True, return_counts=True)
    several = int(np.count_nonzero(counts >= 2))
    if several < FEWEST_PEOPLE:
        raise UnusableInput(
            ReasonCode.TRIALS_TOO_FEW,
            f"A fitted similarity needs at least {FEWEST_PEOPLE} people with two samples each, because it is fitted "
            f"to some of them and calibrated on the others; there are {several}.",
            "Add people, or take cosine, which needs no fitting.",
        )
    order = np.random.default_rng(seed).permutation(people.size)
    order = order[np.argsort(counts[order] < 2, kind="stable")]
    fold = np.empty(people.size, dtype=np.int64)
    fold[order] = np.arange(people.size) % FOLDS
    return fold[code]


def check_name(name: str) -> None:
    """Raise UsageError when there is no similarity called ``name`` for vectors of any length."""
    _kind(name, sys.maxsize)


def _kind(name: str, length: int) -> str:
    """The name without what it is around; UsageError when there is no such similarity of ``length`` dimensions."""
    kind = name.removesuffix(" cosine")
    stem, _, dimension = kind.rpartition("-")
    if stem not in ("pca", "truncated"):
        if kind not in names():
            raise UsageError(
                ReasonCode.USAGE,
                f"There is no similarity called {name!r}.",
                f"Choose one of: {', '.join(names())}, pca-D, truncated-D.",
            )
        return kind
    if not dimension.isascii() or not dimension.isdigit() or not 1 <= int(dimension) <= length:
        raise UsageError(
            ReasonCode.USAGE,
            f"{kind!r} does not say how many of the {length} dimensions to keep.",
            f"Write for example pca-{max(1, length // 2)}.",
        )
    return kind
