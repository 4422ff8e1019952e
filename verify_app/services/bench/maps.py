"""Maps of embeddings in two dimensions: main components, and two ways that keep neighbours together."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verify_app.reasons import ReasonCode, UnusableInput, UsageError
from verify_app.services.jobs import CancelledCheck, ProgressCallback, never_cancelled, no_progress, stop_if

MAP_SUBJECTS = 12
PCA, TSNE, UMAP = "pca", "t-sne", "umap"
METHODS = (PCA, TSNE, UMAP)
FEWEST_POINTS = 8
ROUNDS = 4
"""t-SNE runs in so many parts, between which it can be stopped."""
ITERATIONS = 250
"""Iterations of each part, the fewest that scikit-learn takes."""


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddingMap:
    """A map.

    Attributes:
        method: one of :data:`METHODS`.
        coordinates: float64 array (k, 2).
        subjects: array (k,), the subject of each point.
        vectors: float64 array (k, d), the embeddings that are mapped.
        share: share of the variance that the map shows, 0..1; None where only neighbours mean something.
    """

    method: str
    coordinates: NDArray[np.float64]
    subjects: NDArray[Any]
    vectors: NDArray[np.float64]
    share: float | None


def methods_installed() -> tuple[str, ...]:
    """The methods at hand: UMAP is an extra."""
    return METHODS if find_spec("umap") is not None else (PCA, TSNE)


def embedding_map(vectors: NDArray[Any], subjects: NDArray[Any], most: int = MAP_SUBJECTS) -> EmbeddingMap:
    """The embeddings of the ``most`` best represented subjects on their two main components."""
    names, counts = np.unique(subjects, return_counts=True)
    chosen = np.isin(subjects, names[np.argsort(-counts, kind="stable")[:most]])
    x = np.asarray(vectors[chosen], dtype=np.float64)
    centred = x - x.mean(axis=0)
    _, strength, directions = np.linalg.svd(centred, full_matrices=False)
    coordinates = centred @ directions[:2].T
    if coordinates.shape[1] < 2:
        coordinates = np.column_stack([coordinates, np.zeros(len(x))])
    total = float((strength**2).sum())
    share = float((strength[:2] ** 2).sum()) / total if total else 0.0
    return EmbeddingMap(PCA, coordinates, subjects[chosen], x, share)


def redrawn(
    components: EmbeddingMap,
    method: str,
    *,
    seed: int = 0,
    progress: ProgressCallback = no_progress,
    cancelled: CancelledCheck = never_cancelled,
) -> EmbeddingMap:
    """The same points by another method, beginning from their main components.

    ``t-sne`` (van der Maaten & Hinton, JMLR 2008) and ``umap`` (McInnes, Healy & Melville, 2018) keep neighbours
    together; distances between groups, and their sizes, mean nothing. UMAP cannot be stopped while it works.

    Raises:
        UsageError: USAGE when there is no such method, or it is not installed.
        UnusableInput: TRIALS_TOO_FEW with fewer than :data:`FEWEST_POINTS` points.
        Cancelled: between two steps.
    """
    if method not in METHODS:
        raise UsageError(ReasonCode.USAGE, f"There is no map called {method!r}.", f"Choose {', '.join(METHODS)}.")
    if method == PCA:
        return embedding_map(components.vectors, components.subjects, len(components.subjects))
    if method not in methods_installed():
        raise UsageError(ReasonCode.USAGE, "UMAP is not installed.", "Install the extra “umap”, or choose t-sne.")
    if len(components.vectors) < FEWEST_POINTS:
        raise UnusableInput(
            ReasonCode.TRIALS_TOO_FEW, f"A map of neighbours needs {FEWEST_POINTS} samples.", "Add samples."
        )
    draw = _tsne if method == TSNE else _umap
    coordinates = draw(components, seed, progress, cancelled)
    return EmbeddingMap(method, coordinates, components.subjects, components.vectors, None)


def _tsne(
    components: EmbeddingMap, seed: int, progress: ProgressCallback, cancelled: CancelledCheck
) -> NDArray[np.float64]:
    from sklearn import manifold
    from threadpoolctl import threadpool_limits

    start = components.coordinates / max(float(components.coordinates[:, 0].std()), 1e-12) * 1e-4
    perplexity = min(30.0, (len(start) - 1) / 3)
    for part in range(ROUNDS):
        stop_if(cancelled)
        progress(part, ROUNDS, "t-SNE")
        model = manifold.TSNE(
            init=start.astype(np.float32),
            perplexity=perplexity,
            early_exaggeration=12.0 if part == 0 else 1.0,
            max_iter=ITERATIONS,
            learning_rate="auto",
            random_state=seed,
        )
        with threadpool_limits(1):  # so few points are not worth the threads, which wait for each other
            start = np.asarray(model.fit_transform(components.vectors.astype(np.float32)), dtype=np.float64)
    stop_if(cancelled)
    progress(ROUNDS, ROUNDS, "t-SNE")
    return start


def _umap(
    components: EmbeddingMap, seed: int, progress: ProgressCallback, cancelled: CancelledCheck
) -> NDArray[np.float64]:
    progress(0, 1, "UMAP")
    import umap  # compiles at its first use, which takes a while

    stop_if(cancelled)
    start = components.coordinates.astype(np.float32)
    model = umap.UMAP(n_neighbors=min(15, len(start) - 1), init=start, random_state=seed, n_jobs=1)
    found = np.asarray(model.fit_transform(components.vectors.astype(np.float32)), dtype=np.float64)
    stop_if(cancelled)
    progress(1, 1, "UMAP")
    return found
