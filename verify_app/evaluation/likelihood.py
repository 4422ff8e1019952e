"""How good log-likelihood ratios are: Cllr (Brümmer & du Preez, Computer Speech & Language 2006)."""

from __future__ import annotations

import numpy as np

from verify_app.evaluation.rates import ErrorRates
from verify_app.evaluation.trials import Scores


def cllr(mated: Scores, non_mated: Scores) -> float:
    """Cost of natural-log likelihood ratios in bits: 0 is perfect, 1 is as good as knowing nothing.

    Args:
        mated: log-likelihood ratios of mated comparisons; plus infinity costs nothing.
        non_mated: log-likelihood ratios of non-mated comparisons; minus infinity costs nothing.
    """
    return float((np.mean(np.logaddexp(0.0, -mated)) + np.mean(np.logaddexp(0.0, non_mated))) / (2 * np.log(2)))


def min_cllr(rates: ErrorRates) -> float:
    """Smallest Cllr that any rising map of the scores can reach (by pooling adjacent violators)."""
    blocks = rates.blocks
    mated_total, non_mated_total = blocks.mated.sum(), blocks.non_mated.sum()
    with np.errstate(divide="ignore"):
        llr = np.log(blocks.mated / mated_total) - np.log(blocks.non_mated / non_mated_total)
    with_mated, with_non_mated = blocks.mated > 0, blocks.non_mated > 0
    mated_cost = np.sum(blocks.mated[with_mated] * np.logaddexp(0.0, -llr[with_mated])) / mated_total
    non_mated_cost = np.sum(blocks.non_mated[with_non_mated] * np.logaddexp(0.0, llr[with_non_mated]))
    return float((mated_cost + non_mated_cost / non_mated_total) / (2 * np.log(2)))
