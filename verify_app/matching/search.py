"""Exact search: a probe against a whole gallery, one matrix product."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verify_app.matching.similarity import Cosine, Similarity


@dataclass(frozen=True, slots=True)
class Candidate:
    """One place in a ranking: the row of the gallery and its comparison score."""

    index: int
    score: float


def search(
    probe: NDArray[Any], gallery: NDArray[Any], top: int = 5, similarity: Similarity | None = None
) -> tuple[Candidate, ...]:
    """The ``top`` best candidates for ``probe`` among the rows of ``gallery`` (m, d), best first.

    The probe is an embedding (d,), or several (n, d), whose scores are averaged. Every row is compared, so
    recall is 1; equal scores keep the order of the gallery. An empty gallery has no candidates.
    """
    if len(gallery) == 0 or top < 1:
        return ()
    scores = (similarity or Cosine()).compare(np.atleast_2d(probe), gallery).mean(axis=0)
    count = min(top, scores.size)
    cut = np.partition(scores, scores.size - count)[scores.size - count]
    rows = np.flatnonzero(scores >= cut)
    best = rows[np.argsort(-scores[rows], kind="stable")][:count]
    return tuple(Candidate(int(row), float(scores[row])) for row in best)
