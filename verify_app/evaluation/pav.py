"""Pool-adjacent-violators: the best monotone map from scores to probabilities, and the ROC convex hull.

Both are one computation (Fawcett & Niculescu-Mizil, "PAV and the ROC convex hull", 2007): the blocks
that pooling leaves are the segments of the hull.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verify_app.evaluation.trials import Scores


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """What pooling leaves: runs of scores with one share of mated trials, rising from block to block.

    Attributes:
        low: float64 array (b,), smallest score of each block, ascending.
        high: float64 array (b,), largest score of each block.
        mated: int64 array (b,), mated trials in the block.
        non_mated: int64 array (b,), non-mated trials in the block.
    """

    low: Scores
    high: Scores
    mated: NDArray[np.int64]
    non_mated: NDArray[np.int64]


def pool(mated: Scores, non_mated: Scores) -> Blocks:
    """Pool the scores of both classes, each sorted ascending. Equal scores share a block."""
    from scipy.optimize import isotonic_regression

    scores = np.concatenate([non_mated, mated])
    order = np.argsort(scores, kind="stable")  # two sorted runs: a merge, linear in their length
    labels = (order >= non_mated.size).astype(np.int64)
    scores = scores[order]
    starts = np.flatnonzero(np.concatenate([[True], scores[1:] != scores[:-1]]))
    ends = np.append(starts[1:], scores.size)
    cumulative = np.concatenate([[0], np.cumsum(labels)])
    mated_of_value = cumulative[ends] - cumulative[starts]
    counts = ends - starts
    blocks = isotonic_regression(mated_of_value / counts, weights=counts.astype(np.float64)).blocks
    first, last = starts[blocks[:-1]], ends[blocks[1:] - 1]
    mated_in_block = cumulative[last] - cumulative[first]
    return Blocks(scores[first], scores[last - 1], mated_in_block, last - first - mated_in_block)


def hull(blocks: Blocks) -> tuple[Scores, Scores]:
    """ROC convex hull of pooled scores.

    Returns:
        ``(fmr, fnmr)``: float64 arrays (b + 1,), from the vertex that accepts all (1, 0) to the one
        that accepts none (0, 1).
    """
    fnmr = np.concatenate([[0], np.cumsum(blocks.mated)]) / blocks.mated.sum()
    fmr = 1.0 - np.concatenate([[0], np.cumsum(blocks.non_mated)]) / blocks.non_mated.sum()
    return fmr, fnmr
