"""Several references of one subject become one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from verify_app.domain import FloatArray
from verify_app.matching.similarity import unit


def combine(vectors: NDArray[Any]) -> FloatArray:
    """Unit-norm mean of the unit-norm rows of ``vectors``.

    Args:
        vectors: array (n, d) of embeddings under one contract, n >= 1, none of them zero.

    Returns:
        float32 array (d,) of unit Euclidean norm.

    Raises:
        ValueError: when there is no vector, or when the vectors cancel out.
    """
    rows = np.atleast_2d(np.asarray(vectors, dtype=np.float64))
    if rows.shape[0] == 0 or rows.ndim != 2:
        raise ValueError("there is no reference to combine")
    mean = unit(rows).mean(axis=0)
    if not np.linalg.norm(mean) > 1e-9:  # also refuses NaN
        raise ValueError("the references cancel out: their mean has no direction")
    return unit(mean).astype(np.float32)
