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
    """Pool the scores of both classes, each sorted ascending. Equal scores share a block.

    Going up, mated scores followed by non-mated ones always pool. Those runs are found first, by looking
    each mated score up among the non-mated ones, so that the pooling proper is left with few groups.
    """
    from scipy.optimize import isotonic_regression

    below = np.searchsorted(non_mated, mated, side="left")  # of equal scores the mated come first: they pool
    starts = np.flatnonzero(np.concatenate([[True], below[1:] != below[:-1]]))
    bounds = np.append(below[starts], non_mated.size)
    ones = np.diff(np.append(starts, mated.size))
    zeros = np.diff(bounds)
    low = mated[starts]
    last_mated = mated[np.append(starts[1:], mated.size) - 1]
    high = np.maximum(last_mated, non_mated[np.maximum(bounds[1:] - 1, 0)])
    if bounds[0] > 0:  # non-mated scores below every mated one
        ones, zeros = np.append(0, ones), np.append(bounds[0], zeros)
        low, high = np.append(non_mated[0], low), np.append(non_mated[bounds[0] - 1], high)
    counts = ones + zeros
    blocks = isotonic_regression(ones / counts, weights=counts.astype(np.float64)).blocks
    return Blocks(
        low[blocks[:-1]],
        high[blocks[1:] - 1],
        np.add.reduceat(ones, blocks[:-1]),
        np.add.reduceat(zeros, blocks[:-1]),
    )


def hull(blocks: Blocks) -> tuple[Scores, Scores]:
    """ROC convex hull of pooled scores.

    Returns:
        ``(fmr, fnmr)``: float64 arrays (b + 1,), from the vertex that accepts all (1, 0) to the one
        that accepts none (0, 1).
    """
    fnmr = np.concatenate([[0], np.cumsum(blocks.mated)]) / blocks.mated.sum()
    fmr = 1.0 - np.concatenate([[0], np.cumsum(blocks.non_mated)]) / blocks.non_mated.sum()
    return fmr, fnmr
