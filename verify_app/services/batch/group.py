"""Grouping of unknown faces or voices into identities, with the calibrated threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from verify_app.domain import FloatArray

_BLOCK = 1024


def group_embeddings(vectors: FloatArray, threshold: float) -> NDArray[np.int64]:
    """Labels from 1 upward, in order of first appearance: equal labels mean one identity.

    Average-linkage agglomerative clustering on cosine distance: two groups join while the mean score
    between them reaches ``threshold``, so that one chance match does not chain two people together.
    Groups cannot reach across files that no chain of matches connects, so the connected parts of the match
    graph are clustered one by one, which keeps memory at the size of the largest part.

    Args:
        vectors: unit-norm embeddings, float32 [n, d].
        threshold: cosine score from which two samples are taken for one person.
    """
    count = len(vectors)
    raw = np.zeros(count, np.int64)
    next_label = 0
    for members in _connected_parts(vectors, threshold):
        labels = _cluster(vectors[members], threshold)
        raw[members] = labels + next_label
        next_label += int(labels.max()) + 1
    return _by_first_appearance(raw)


def purity(labels: NDArray[np.int64], truth: NDArray[np.int64]) -> float:
    """Share of samples whose group is mostly of their own identity, 0..1 (Zhao and Karypis, 2001)."""
    correct = 0
    for label in np.unique(labels):
        _, counts = np.unique(truth[labels == label], return_counts=True)
        correct += int(counts.max())
    return correct / len(labels) if len(labels) else 1.0


def _connected_parts(vectors: FloatArray, threshold: float) -> list[NDArray[np.int64]]:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(vectors)
    if count == 0:
        return []
    rows, columns = [], []
    for start in range(0, count, _BLOCK):
        near = np.argwhere(vectors[start : start + _BLOCK] @ vectors.T >= threshold)
        rows.append(near[:, 0] + start)
        columns.append(near[:, 1])
    row, column = np.concatenate(rows), np.concatenate(columns)
    graph = coo_array((np.ones(len(row), np.int8), (row, column)), shape=(count, count))
    _, labels = connected_components(graph, directed=False)
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)


def _cluster(vectors: FloatArray, threshold: float) -> NDArray[np.int64]:
    if len(vectors) == 1:
        return np.zeros(1, np.int64)
    from sklearn.cluster import AgglomerativeClustering

    distances = np.clip(1.0 - vectors @ vectors.T, 0.0, 2.0)
    clustering = AgglomerativeClustering(
        n_clusters=None, metric="precomputed", linkage="average", distance_threshold=1.0 - threshold
    )
    return np.asarray(clustering.fit_predict(distances), np.int64)


def _by_first_appearance(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(1, len(first) + 1)
    return rank[inverse]
