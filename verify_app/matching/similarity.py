"""Similarities: how alike two embeddings are. Larger is more alike, whatever the similarity."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from verify_app.reasons import ReasonCode, UsageError

Vectors = NDArray[Any]


class Similarity(Protocol):
    """One way to compare embeddings."""

    @property
    def name(self) -> str:
        """Name under which calibrations remember it."""
        ...

    def compare(self, probes: Vectors, references: Vectors) -> NDArray[np.float64]:
        """Scores of every probe (n, d) against every reference (m, d): float64 array (n, m)."""
        ...


@dataclass(frozen=True, slots=True)
class Cosine:
    """Cosine of the angle between two embeddings, -1..1. A zero vector scores 0 against everything."""

    name: str = "cosine"

    def compare(self, probes: Vectors, references: Vectors) -> NDArray[np.float64]:
        """Cosines, float64 array (n, m)."""
        return np.clip(unit(probes) @ unit(references).T, -1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Euclidean:
    """Negative Euclidean distance, at most 0."""

    name: str = "euclidean"

    def compare(self, probes: Vectors, references: Vectors) -> NDArray[np.float64]:
        """Negative distances, float64 array (n, m)."""
        return -np.sqrt(squared_distances(probes, references))


def unit(vectors: Vectors) -> NDArray[np.float64]:
    """Rows (n, d) scaled to unit Euclidean norm, float64; zero rows stay zero."""
    rows = np.asarray(vectors, dtype=np.float64)
    norms = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows / np.where(norms > 0, norms, 1.0), dtype=np.float64)


def squared_distances(probes: Vectors, references: Vectors) -> NDArray[np.float64]:
    """Squared Euclidean distances, float64 array (n, m), never negative."""
    left, right = np.asarray(probes, dtype=np.float64), np.asarray(references, dtype=np.float64)
    squares = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1)[None, :]
    return np.asarray(np.maximum(squares - 2.0 * left @ right.T, 0.0), dtype=np.float64)


_BUILDERS: dict[str, Callable[..., Similarity]] = {"cosine": Cosine, "euclidean": Euclidean}


def similarity(name: str = "cosine", **fitted: Any) -> Similarity:
    """The similarity called ``name``; ``fitted`` are its parameters, for those that have some.

    Raises:
        UsageError: USAGE when there is no such similarity.
    """
    builder = _BUILDERS.get(name)
    if builder is None:
        raise UsageError(
            ReasonCode.USAGE, f"There is no similarity called {name!r}.", f"Choose one of: {', '.join(names())}."
        )
    return builder(**fitted)


def names() -> tuple[str, ...]:
    """Names of all similarities."""
    return tuple(_BUILDERS)


def register(name: str, builder: Callable[..., Similarity]) -> None:
    """Make a similarity known under ``name``."""
    _BUILDERS[name] = builder
