"""Similarities: how alike two embeddings are. Larger is more alike, whatever the similarity."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
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


def _later(module: str, function: str) -> Callable[..., Similarity]:
    """A builder that is imported when it is first called."""

    def build(**fitted: Any) -> Similarity:
        built: Similarity = getattr(import_module(f"verify_app.matching.{module}"), function)(**fitted)
        return built

    return build


_PLAIN: dict[str, Callable[..., Similarity]] = {"cosine": Cosine, "euclidean": Euclidean}
_FITTED: dict[str, Callable[..., Similarity]] = {
    "mahalanobis": _later("learned", "fit_mahalanobis"),
    "lda": _later("learned", "fit_lda"),
    "plda": _later("learned", "fit_plda"),
    "kernel": _later("learned", "fit_kernel"),
    "as-norm": _later("normalisation", "AsNorm"),
    "local": _later("normalisation", "Local"),
}


def similarity(name: str = "cosine", **fitted: Any) -> Similarity:
    """The similarity called ``name``.

    Args:
        name: one of :func:`names`.
        fitted: what it is made from. ``mahalanobis``, ``lda``, ``plda`` and ``kernel`` take ``vectors``
            (n, d) and ``subjects`` (n,) of people other than those they will compare; ``as-norm`` and
            ``local`` take a ``base`` similarity and a ``cohort`` (c, d); cosine and euclidean take nothing.

    Raises:
        UsageError: USAGE when there is no such similarity.
    """
    builder = (_PLAIN | _FITTED).get(name)
    if builder is None:
        raise UsageError(
            ReasonCode.USAGE, f"There is no similarity called {name!r}.", f"Choose one of: {', '.join(names())}."
        )
    return builder(**fitted)


def names(*, fitted: bool = True) -> tuple[str, ...]:
    """Names of all similarities; without those that need fitting when ``fitted`` is False."""
    return tuple(_PLAIN | _FITTED if fitted else _PLAIN)
