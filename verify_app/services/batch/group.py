"""Grouping of unknown faces or voices into identities, with the calibrated threshold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from verify_app.services.batch.choices import Method
from verify_app.services.batch.linkage import average_linkage

if TYPE_CHECKING:
    from verify_app.domain import FloatArray
    from verify_app.matching.similarity import Similarity

Compare = Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]]

_BLOCK = 64
LARGEST_DENSE = 3000
"""Samples that ``hdbscan`` takes at once; their distances take 72 MB. Larger parts are cut at a stricter threshold."""


def _go_on() -> None:
    """Nobody asks to stop."""


def group_embeddings(
    vectors: FloatArray,
    threshold: float,
    method: Method = Method.AGGLOMERATIVE,
    check: Callable[[], None] = _go_on,
    similarity: Similarity | None = None,
) -> NDArray[np.int64]:
    """Labels from 1 upward, in order of first appearance: equal labels mean one identity.

    ``agglomerative`` is average-linkage clustering: two groups join while the mean score between them reaches
    ``threshold``, so that one chance match does not chain two people together; with cosine scores it is exact for
    any number of samples. ``hdbscan`` (Campello, Moulavi and Sander, 2013) finds dense groups of any size and leaves
    samples between them alone. It needs every score within a part, as other similarities do, so that parts of more
    than :data:`LARGEST_DENSE` samples are cut at a stricter threshold first. Neither reaches across files that no
    chain of matches connects, so the connected parts of the match graph are clustered one by one.

    Args:
        vectors: unit-norm embeddings, float32 [n, d].
        threshold: score from which two samples are taken for one person.
        method: how groups are found.
        check: called between two steps; may raise to stop.
        similarity: how samples are compared; cosine when None.
    """
    compare = _dot if similarity is None or similarity.name == "cosine" else similarity.compare
    raw = np.zeros(len(vectors), np.int64)
    next_label = 0
    largest = len(vectors) if method is Method.AGGLOMERATIVE and compare is _dot else LARGEST_DENSE
    for members in _parts(vectors, np.arange(len(vectors)), threshold, largest, check, compare):
        check()
        if method is Method.AGGLOMERATIVE and compare is _dot:
            labels = average_linkage(vectors[members], threshold, check)
        else:
            labels = _CLUSTER[method](vectors[members], threshold, compare)
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


def _parts(
    vectors: FloatArray,
    members: NDArray[np.int64],
    threshold: float,
    largest: int,
    check: Callable[[], None],
    compare: Compare,
) -> Iterator[NDArray[np.int64]]:
    """Connected parts of the match graph; one too large to cluster is cut again, at a stricter threshold."""
    labels = _connected(vectors[members], threshold, check, compare)
    order = np.argsort(labels, kind="stable")
    for part in np.split(order, np.flatnonzero(np.diff(labels[order])) + 1) if len(order) else []:
        own = members[part]
        top = 1.0 if compare is _dot or len(part) <= largest else _highest(vectors[own], compare)
        if len(part) <= largest or top - threshold < 1e-3 * max(abs(top), 1e-3):
            yield own
        else:
            yield from _parts(vectors, own, threshold + 0.1 * (top - threshold), largest, check, compare)


def _connected(vectors: FloatArray, threshold: float, check: Callable[[], None], compare: Compare) -> NDArray[np.int64]:
    """Label of the connected part of each sample, block by block, so that the matches never all exist at once."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(vectors)
    labels = np.arange(count, dtype=np.int64)
    for start in range(0, count, _BLOCK):
        check()
        near = np.argwhere(compare(vectors[start : start + _BLOCK], vectors[start:]) >= threshold)
        if not len(near):
            continue
        edges = np.unique(np.stack([labels[near[:, 0] + start], labels[near[:, 1] + start]]), axis=1)
        graph = coo_array((np.ones(edges.shape[1], np.int8), (edges[0], edges[1])), shape=(count, count))
        labels = connected_components(graph, directed=False)[1].astype(np.int64)[labels]
    return labels


def _agglomerative(vectors: FloatArray, threshold: float, compare: Compare) -> NDArray[np.int64]:
    if len(vectors) == 1 or len(vectors) > LARGEST_DENSE:
        return np.zeros(len(vectors), np.int64)
    from sklearn.cluster import AgglomerativeClustering

    distances, limit = _distances(vectors, threshold, compare)
    clustering = AgglomerativeClustering(
        n_clusters=None, metric="precomputed", linkage="average", distance_threshold=limit
    )
    return np.asarray(clustering.fit_predict(distances), np.int64)


def _hdbscan(vectors: FloatArray, threshold: float, compare: Compare) -> NDArray[np.int64]:
    """Two extra points, as far from all others as the threshold allows, are the ground that density rises from.

    Without them a part that is one person would be judged against nothing but itself, and fall to pieces.
    """
    count = len(vectors)
    if count == 1 or count > LARGEST_DENSE:
        return np.zeros(count, np.int64)
    from sklearn.cluster import HDBSCAN

    between, limit = _distances(vectors, threshold, compare)
    distances = np.full((count + 2, count + 2), limit)
    distances[:count, :count] = between
    distances[count:, count:] = limit / 2
    np.fill_diagonal(distances, 0.0)
    clustering = HDBSCAN(min_cluster_size=2, min_samples=1, metric="precomputed", copy=True)
    labels = np.asarray(clustering.fit_predict(distances)[:count], np.int64)
    alone = labels < 0
    labels[alone] = labels.max(initial=-1) + 1 + np.arange(int(alone.sum()))
    return labels


_CLUSTER: dict[Method, Callable[[FloatArray, float, Compare], NDArray[np.int64]]] = {
    Method.AGGLOMERATIVE: _agglomerative,
    Method.HDBSCAN: _hdbscan,
}


def _distances(vectors: FloatArray, threshold: float, compare: Compare) -> tuple[NDArray[np.float32], float]:
    """How far each score lies below the highest there may be, and how far the threshold does."""
    scores = compare(vectors, vectors)
    top = 1.0 if compare is _dot else max(float(scores.max()), threshold + 1e-6)
    distances = np.asarray(np.maximum(top - scores, 0.0), np.float32)
    if compare is not _dot:
        np.fill_diagonal(distances, 0.0)
    return distances, top - threshold


def _dot(left: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
    """Cosines of unit vectors."""
    return np.asarray(left @ right.T)


def _highest(vectors: FloatArray, compare: Compare) -> float:
    """The highest score between any two of the samples."""
    return max(
        float(compare(vectors[start : start + _BLOCK], vectors).max()) for start in range(0, len(vectors), _BLOCK)
    )


def _by_first_appearance(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(1, len(first) + 1)
    return rank[inverse]
