"""Similarities fitted to labelled embeddings: Mahalanobis, LDA, two-covariance PLDA and a kernel discriminant.

All work on unit vectors, learn from how samples of one subject differ, and should be fitted on other
subjects than those they are measured on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verify_app.matching.similarity import Similarity, Vectors, squared_distances, unit
from verify_app.reasons import ReasonCode, UnusableInput

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Scatter:
    """How labelled embeddings vary.

    Attributes:
        mean: float64 array (d,), mean of the subjects' means.
        within: float64 array (d, d), covariance of samples about their subject's mean, shrunk (Ledoit & Wolf 2004).
        between: float64 array (d, d), covariance of the subjects' means without the share that the
            samples' own variation puts into them; no negative eigenvalue.
    """

    mean: Matrix
    within: Matrix
    between: Matrix


def scatter(vectors: Vectors, subjects: NDArray[Any]) -> Scatter:
    """Measure the scatter of embeddings (n, d) of the given subjects (n,).

    Raises:
        UnusableInput: TRIALS_TOO_FEW with fewer than two subjects, or when nobody has two samples.
    """
    from sklearn.covariance import ledoit_wolf

    x = unit(vectors)
    names, code, counts = np.unique(np.asarray(subjects), return_inverse=True, return_counts=True)
    if names.size < 2 or counts.max() < 2:
        raise UnusableInput(
            ReasonCode.TRIALS_TOO_FEW,
            "A similarity can be fitted only to at least two subjects, of which some have two samples.",
            "Add samples.",
        )
    means = np.zeros((names.size, x.shape[1]))
    np.add.at(means, code, x)
    means /= counts[:, None]
    several = (counts >= 2)[code]
    # Deviations shrink by sqrt((n - 1) / n) because the mean is the samples' own: undo it.
    deviations = (x - means[code])[several] * np.sqrt(counts / np.maximum(counts - 1, 1))[code][several, None]
    within = ledoit_wolf(deviations, assume_centered=True)[0]
    mean = means.mean(axis=0)
    spread = (means - mean).T @ (means - mean) / (names.size - 1)
    between = spread - within * float(np.mean(1 / counts))
    values, directions = np.linalg.eigh((between + between.T) / 2)
    between = (directions * np.maximum(values, 0.0)) @ directions.T
    return Scatter(mean, within, between)


@dataclass(frozen=True, slots=True, eq=False)
class Projected:
    """Cosine or negative Euclidean distance after a linear map of the unit vectors.

    Attributes:
        name: name of the similarity.
        projection: float64 array (d, k).
        centre: float64 array (d,), taken away first.
        cosine: True for the cosine of the mapped vectors, False for their negative distance.
    """

    name: str
    projection: Matrix
    centre: Matrix
    cosine: bool

    def compare(self, probes: Vectors, references: Vectors) -> Matrix:
        """Scores, float64 array (n, m)."""
        left, right = ((unit(rows) - self.centre) @ self.projection for rows in (probes, references))
        if self.cosine:
            return np.clip(unit(left) @ unit(right).T, -1.0, 1.0)
        return -np.sqrt(squared_distances(left, right))


def fit_mahalanobis(vectors: Vectors, subjects: NDArray[Any]) -> Similarity:
    """Negative distance in units of the variation within subjects (Mahalanobis 1936)."""
    found = scatter(vectors, subjects)
    return Projected("mahalanobis", _whitening(found.within), found.mean, cosine=False)


def fit_lda(vectors: Vectors, subjects: NDArray[Any], dimension: int | None = None) -> Similarity:
    """Cosine in the subspace that separates subjects best (Fisher 1936), by scikit-learn with shrinkage.

    Args:
        vectors: array (n, d).
        subjects: array (n,).
        dimension: dimensions to keep; by default as many as the subjects allow, at most d - 1.
    """
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    found = scatter(vectors, subjects)
    x = unit(vectors)
    most = max(1, min(x.shape[1] - 1, np.unique(subjects).size - 1))
    kept = most if dimension is None else min(dimension, most)
    model = LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto", n_components=kept).fit(x, subjects)
    return Projected("lda", np.asarray(model.scalings_[:, :kept], dtype=np.float64), found.mean, cosine=True)


@dataclass(frozen=True, slots=True, eq=False)
class Plda:
    """Two-covariance PLDA: the log-likelihood ratio of "one subject" against "two" for Gaussian subjects.

    Closed form of Brümmer & de Villiers ("The speaker partitioning problem", Odyssey 2010), in the basis
    where both covariances are diagonal.

    Attributes:
        centre: float64 array (d,).
        basis: float64 array (d, d), maps so that the covariance within subjects is the identity.
        between: float64 array (d,), variance between subjects in that basis.
    """

    centre: Matrix
    basis: Matrix
    between: Matrix
    name: str = "plda"

    def compare(self, probes: Vectors, references: Vectors) -> Matrix:
        """Log-likelihood ratios, float64 array (n, m)."""
        left, right = ((unit(rows) - self.centre) @ self.basis for rows in (probes, references))
        b = self.between
        total, pair = b + 1.0, 2.0 * b + 1.0
        # One dimension: log N([x y]; 0, [[t b] [b t]]) - log N(x; 0, t) - log N(y; 0, t).
        cross = b / pair  # weight of x * y
        square = -0.5 * b**2 / (total * pair)  # weight of x^2 + y^2
        constant = float(np.sum(np.log(total) - 0.5 * np.log(pair)))
        own = (left**2 @ square)[:, None] + (right**2 @ square)[None, :]
        return np.asarray((left * cross) @ right.T + own + constant, dtype=np.float64)


def fit_plda(vectors: Vectors, subjects: NDArray[Any]) -> Similarity:
    """Two-covariance PLDA with the covariances of :func:`scatter`."""
    found = scatter(vectors, subjects)
    whitening = _whitening(found.within)
    values, directions = np.linalg.eigh(whitening.T @ found.between @ whitening)
    return Plda(found.mean, whitening @ directions, np.maximum(values, 0.0))


@dataclass(frozen=True, slots=True, eq=False)
class Kernel:
    """A discriminant in the space of a Gaussian kernel, reached through landmarks (Williams & Seeger 2001).

    Attributes:
        landmarks: float64 array (k, d).
        gamma: width: the kernel is exp(-gamma * squared distance).
        root: float64 array (k, k), inverse square root of the landmarks' kernel matrix.
        inner: the discriminant in that space.
    """

    landmarks: Matrix
    gamma: float
    root: Matrix
    inner: Similarity
    name: str = "kernel"

    def features(self, vectors: Vectors) -> Matrix:
        """Coordinates in the space of the kernel, float64 array (n, k)."""
        return np.asarray(
            np.exp(-self.gamma * squared_distances(unit(vectors), self.landmarks)) @ self.root, dtype=np.float64
        )

    def compare(self, probes: Vectors, references: Vectors) -> Matrix:
        """Scores, float64 array (n, m)."""
        return self.inner.compare(self.features(probes), self.features(references))


def fit_kernel(vectors: Vectors, subjects: NDArray[Any], *, landmarks: int = 256, seed: int = 0) -> Similarity:
    """Kernel discriminant: a Gaussian kernel of median width, then PLDA on its coordinates."""
    x = unit(vectors)
    rng = np.random.default_rng(seed)
    chosen = x[np.sort(rng.choice(len(x), size=min(landmarks, len(x)), replace=False))]
    distances = squared_distances(chosen, chosen)
    gamma = 1.0 / float(np.median(distances[np.triu_indices(len(chosen), 1)]))
    values, directions = np.linalg.eigh(np.exp(-gamma * distances))
    kept = values > 1e-6 * values[-1]
    root = directions[:, kept] / np.sqrt(values[kept])
    space = Kernel(chosen, gamma, root, Projected("none", np.eye(1), np.zeros(1), cosine=True))
    return Kernel(chosen, gamma, root, fit_plda(space.features(x), subjects))


def _whitening(covariance: Matrix) -> Matrix:
    """Map (d, d) under which the covariance becomes the identity."""
    values, directions = np.linalg.eigh(covariance)
    return np.asarray(directions / np.sqrt(np.maximum(values, 1e-10 * values[-1])), dtype=np.float64)
