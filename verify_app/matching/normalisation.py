"""Scores seen against a cohort: how alike are two embeddings, compared with how alike each is to strangers?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verify_app.matching.similarity import Cosine, Similarity, Vectors

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class AsNorm:
    """Adaptive symmetric score normalisation (Matějka et al., Interspeech 2017).

    A score is centred and scaled by the best cohort scores of the probe, and by those of the reference;
    the mean of both is the result. It takes away that some people resemble everybody.

    Attributes:
        base: the similarity that is normalised.
        cohort: array (c, d) of embeddings of other people.
        top: how many of the best cohort scores count, >= 2.
        spared: how many of the very best are left out first, because they may be of the person compared.
    """

    base: Similarity
    cohort: Vectors
    top: int = 200
    spared: int = 0

    @property
    def name(self) -> str:
        """Name under which calibrations remember it."""
        return f"as-norm {self.base.name}"

    def compare(self, probes: Vectors, references: Vectors) -> Matrix:
        """Normalised scores, float64 array (n, m)."""
        scores = self.base.compare(probes, references)
        mean_p, spread_p = self._statistics(probes)
        mean_r, spread_r = self._statistics(references)
        of_probe = (scores - mean_p[:, None]) / spread_p[:, None]
        of_reference = (scores - mean_r[None, :]) / spread_r[None, :]
        return np.asarray((of_probe + of_reference) / 2, dtype=np.float64)

    def _statistics(self, vectors: Vectors) -> tuple[Matrix, Matrix]:
        best = best_scores(self.base, vectors, self.cohort, self.top, self.spared)
        return best.mean(axis=1), np.maximum(best.std(axis=1), 1e-6)


@dataclass(frozen=True, slots=True, eq=False)
class Local:
    """Similarity relative to the density around both embeddings, by their k nearest in a cohort.

    Twice the score less the mean score of each side with its k nearest strangers (cross-domain similarity
    local scaling; Conneau et al., ICLR 2018): in a crowded region two embeddings have to be more alike.

    Attributes:
        base: the similarity that is made local.
        cohort: array (c, d) of embeddings of other people.
        neighbours: k, >= 1.
        spared: how many of the very nearest are left out first, because they may be of the person compared.
    """

    base: Similarity
    cohort: Vectors
    neighbours: int = 10
    spared: int = 0

    @property
    def name(self) -> str:
        """Name under which calibrations remember it."""
        return f"local {self.base.name}"

    def compare(self, probes: Vectors, references: Vectors) -> Matrix:
        """Local scores, float64 array (n, m)."""
        crowd_p, crowd_r = (
            best_scores(self.base, vectors, self.cohort, self.neighbours, self.spared).mean(axis=1)
            for vectors in (probes, references)
        )
        return np.asarray(
            2 * self.base.compare(probes, references) - crowd_p[:, None] - crowd_r[None, :], dtype=np.float64
        )


def best_scores(base: Similarity, vectors: Vectors, cohort: Vectors, count: int, spared: int = 0) -> Matrix:
    """The ``count`` best cohort scores of each vector after the ``spared`` best, float64 array (n, count), in no order.

    A cohort embedding equal to the vector counts as the least like it: nobody is a stranger to themselves.
    """
    rows = np.atleast_2d(vectors)
    scores = base.compare(rows, cohort)
    same = _same(rows, cohort)
    if same.any():
        scores = np.where(same, scores.min(axis=1, keepdims=True), scores)
    size = scores.shape[1] - spared
    kept = min(count, max(1, size - 1))
    if spared:
        scores = np.partition(scores, size - 1, axis=1)[:, :size]
    return np.partition(scores, size - kept, axis=1)[:, size - kept :]


def _same(rows: Vectors, cohort: Vectors) -> NDArray[np.bool_]:
    """Which pairs are the same vector, bool array (n, c), without a three-dimensional comparison."""
    weights = np.random.default_rng(0).normal(size=rows.shape[1])
    left, right = np.asarray(rows, np.float64) @ weights, np.asarray(cohort, np.float64) @ weights
    return np.asarray(np.abs(left[:, None] - right[None, :]) < 1e-9, dtype=np.bool_)


def normalised(kind: str, cohort: Vectors, base: Similarity | None = None) -> Similarity:
    """``"as-norm"`` or ``"local"`` around ``base`` (cosine when None)."""
    return AsNorm(base or Cosine(), cohort) if kind == "as-norm" else Local(base or Cosine(), cohort)
