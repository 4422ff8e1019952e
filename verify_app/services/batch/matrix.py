"""The usable embeddings of a job as one array, each distinct content once."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verify_app.domain import FloatArray
from verify_app.matching.similarity import Similarity
from verify_app.services.batch.cache import CachedEmbedding
from verify_app.services.batch.journal import Outcome


@dataclass(slots=True, eq=False)
class Matrix:
    """What bulk comparisons run over. Copies of one file share a row, so they cost a number each.

    Attributes:
        dimension: length of an embedding.
        names: name of every usable file or face, in the job's order.
        claims: their claims.
        rows: for each of them, its row in :attr:`vectors`.
    """

    dimension: int
    names: list[str] = field(default_factory=list)
    claims: list[str] = field(default_factory=list)
    rows: array[int] = field(default_factory=lambda: array("q"))
    _values: array[float] = field(default_factory=lambda: array("f"))
    _known: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, embedded: Iterable[tuple[Outcome, CachedEmbedding | None]], dimension: int) -> Matrix:
        """Collect the embeddings of a job, skipping what is unusable."""
        made = cls(dimension)
        for outcome, embedding in embedded:
            if embedding is not None:
                made._add(outcome, embedding)
        made._known.clear()
        return made

    def _add(self, outcome: Outcome, embedding: CachedEmbedding) -> None:
        self.names.append(outcome.item.name)
        self.claims.append(outcome.item.claim)
        row = self._known.setdefault(str(outcome.sha256), len(self._known))
        self.rows.append(row)
        if row * self.dimension == len(self._values):
            self._values.frombytes(np.ascontiguousarray(embedding.vector, np.float32).tobytes())

    @property
    def vectors(self) -> FloatArray:
        """Distinct embeddings, float32 [u, dimension]."""
        return np.frombuffer(self._values, np.float32).reshape(-1, self.dimension)

    @property
    def index(self) -> NDArray[np.int64]:
        """:attr:`rows` as an array, int64 [n]."""
        return np.frombuffer(self.rows, np.int64) if len(self.rows) else np.zeros(0, np.int64)

    def scores(self, probe: FloatArray, similarity: Similarity) -> NDArray[Any]:
        """Score of every usable file against a probe [n]."""
        if similarity.name == "cosine":  # of unit vectors
            return np.asarray((self.vectors @ probe)[self.index], np.float32)
        return np.asarray(similarity.compare(probe[None, :], self.vectors)[0][self.index])
