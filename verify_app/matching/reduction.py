"""Shorter embeddings: principal components or plain truncation, and the accuracy it costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verify_app.evaluation.rates import ErrorRates
from verify_app.matching.pairs import score_pairs
from verify_app.matching.similarity import Cosine, Similarity, Vectors, unit

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Reduced:
    """A similarity of shortened embeddings.

    Attributes:
        base: the similarity of what is left.
        centre: float64 array (d,), taken away first.
        projection: float64 array (d, k).
        label: how it was shortened: ``"pca"`` or ``"truncated"``.
    """

    base: Similarity
    centre: Matrix
    projection: Matrix
    label: str

    @property
    def name(self) -> str:
        """Name under which calibrations remember it."""
        return f"{self.label}-{self.projection.shape[1]} {self.base.name}"

    def reduce(self, vectors: Vectors) -> Matrix:
        """Shortened embeddings, float64 array (n, k)."""
        return np.asarray((unit(vectors) - self.centre) @ self.projection, dtype=np.float64)

    def compare(self, probes: Vectors, references: Vectors) -> Matrix:
        """Scores, float64 array (n, m)."""
        return self.base.compare(self.reduce(probes), self.reduce(references))


def fit_pca(vectors: Vectors, dimension: int, base: Similarity | None = None, *, centred: bool = False) -> Reduced:
    """The ``dimension`` directions that hold most of the embeddings' energy (Pearson 1901).

    Args:
        vectors: array (n, d) to fit on.
        dimension: 1..d.
        base: cosine when None.
        centred: take the mean away first. A cosine changes when the origin moves, so it stays by default.
    """
    x = unit(vectors)
    centre = x.mean(axis=0) if centred else np.zeros(x.shape[1])
    values, directions = np.linalg.eigh((x - centre).T @ (x - centre))
    return Reduced(base or Cosine(), centre, directions[:, np.argsort(-values, kind="stable")][:, :dimension], "pca")


def truncate(dimension: int, length: int, base: Similarity | None = None) -> Reduced:
    """The first ``dimension`` of ``length`` coordinates."""
    return Reduced(base or Cosine(), np.zeros(length), np.eye(length)[:, :dimension], "truncated")


@dataclass(frozen=True, slots=True)
class DimensionCost:
    """Equal error rates at one length of the embedding."""

    dimension: int
    pca_eer: float
    truncated_eer: float


def dimension_costs(
    fit_on: Vectors, vectors: Vectors, subjects: NDArray[Any], dimensions: list[int]
) -> list[DimensionCost]:
    """Equal error rate after shortening to each of ``dimensions``: components fitted on other embeddings.

    Args:
        fit_on: array (m, d) of embeddings of other subjects.
        vectors: array (n, d) to measure on.
        subjects: array (n,).
        dimensions: lengths, each 1..d.
    """
    costs = []
    for dimension in dimensions:
        kinds = (fit_pca(fit_on, dimension), truncate(dimension, vectors.shape[1]))
        pca, plain = (ErrorRates.of(score_pairs(vectors, subjects, similarity=kind).trials).eer() for kind in kinds)
        costs.append(DimensionCost(dimension, pca, plain))
    return costs
