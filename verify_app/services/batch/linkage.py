"""Average linkage of any number of embeddings, exact, without a matrix of all pairs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from verify_app.domain import FloatArray


def average_linkage(vectors: FloatArray, threshold: float, check: Callable[[], None]) -> NDArray[np.int64]:
    """Labels from 0 upward: groups join, the most alike first, while the mean score between them reaches a threshold.

    The score of two unit vectors is their product, so the mean score between two groups is the product of their
    mean vectors, and memory stays at the size of ``vectors``. Follows chains of nearest neighbours (F. Murtagh,
    A survey of recent advances in hierarchical clustering algorithms, The Computer Journal 26(4), 1983), which
    find the same groups as always joining the closest two. Takes time in the square of the number of vectors.

    Args:
        vectors: unit-norm embeddings, float32 [n, d].
        threshold: mean score from which two groups are one.
        check: called between two steps; may raise to stop.
    """
    groups = _Groups(vectors)
    chain: list[int] = []
    while groups.open:
        check()
        if not chain:
            chain.append(groups.first())
        last = chain[-1]
        scores = groups.scores(last)
        nearest = int(np.argmax(scores))
        # A chain only comes back to itself where rounding tells equal scores apart.
        if len(chain) > 1 and (scores[chain[-2]] >= scores[nearest] or nearest in chain):
            groups.join(chain.pop(), chain.pop())
        elif scores[nearest] >= threshold:
            chain.append(nearest)
        else:
            # No group that others may yet form is nearer to this one than the nearest of its parts.
            groups.close(chain.pop())
    return groups.labels


class _Groups:
    """Groups that may still be joined with others, by place; closed ones leave their place empty for a while."""

    def __init__(self, vectors: FloatArray) -> None:
        count = len(vectors)
        self._means = vectors.astype(np.float64)
        self._sizes = np.ones(count, np.int64)
        self._names = np.arange(count)
        self._is_open = np.ones(count, bool)
        self._joined = np.arange(count)
        self.open = count

    def first(self) -> int:
        """The place of an open group; places change only here, when closed groups take more room than open ones."""
        if 2 * self.open <= len(self._is_open):
            kept = self._is_open
            self._means, self._sizes, self._names = self._means[kept], self._sizes[kept], self._names[kept]
            self._is_open = np.ones(self.open, bool)
        return int(np.argmax(self._is_open))

    def scores(self, place: int) -> NDArray[np.float64]:
        """Mean scores between the group at a place and every other; minus infinity where there is none."""
        scores = self._means @ self._means[place]
        scores[~self._is_open] = -np.inf
        scores[place] = -np.inf
        return np.asarray(scores, np.float64)

    def join(self, place: int, other: int) -> None:
        """Make one group of two; it stays at ``place``."""
        sizes = self._sizes[[place, other]]
        self._means[place] = sizes @ self._means[[place, other]] / sizes.sum()
        self._sizes[place] = sizes.sum()
        self._joined[self._names[other]] = self._names[place]
        self.close(other)

    def close(self, place: int) -> None:
        """Join this group with no other any more."""
        self._is_open[place] = False
        self.open -= 1

    @property
    def labels(self) -> NDArray[np.int64]:
        """For each vector the number of its group."""
        roots = self._joined
        while not np.array_equal(roots, roots[roots]):
            roots = roots[roots]
        return np.asarray(np.unique(roots, return_inverse=True)[1], np.int64)
