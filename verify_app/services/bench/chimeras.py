"""Chimeric people: the face of one person with the voice of another, as if they were one.

Joined at random, the face and the voice of a chimera are independent. So the distribution of their summed
log-likelihood ratios, averaged over all ways to join, is the convolution of both distributions: there is no
need to draw joinings, and no figure depends on the ones drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verify_app.evaluation.trials import TrialScores, subject_codes

STEP = 1 / 64
"""Width of the cells of a distribution of natural-log likelihood ratios."""
FARTHEST = 20.0
"""Ratios beyond plus or minus this are put at it; a calibration on 10 million trials ends at 16."""
CELLS = int(2 * FARTHEST / STEP) + 1

Shares = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class RatioTable:
    """The ratios of one modality, counted by subject.

    Attributes:
        subjects: array (s,), the subjects' names.
        mated: float64 array (s, cells), mated trials of each subject.
        non_mated: float64 array (s, cells), non-mated trials that touch each subject: every trial is here twice.
    """

    subjects: NDArray[np.str_]
    mated: Shares
    non_mated: Shares

    @classmethod
    def of(cls, trials: TrialScores, llrs: NDArray[np.float64]) -> RatioTable:
        """Count the ratios ``llrs`` of ``trials``, whose subjects must be known."""
        codes = subject_codes(trials)
        if codes is None:
            raise ValueError("the subjects of the trials must be known")
        cells = _cells(llrs)
        mated, others = trials.mated, ~trials.mated
        non_mated = _counted(codes.reference[others], cells[others], codes.count)
        non_mated += _counted(codes.probe[others], cells[others], codes.count)
        return cls(codes.names, _counted(codes.reference[mated], cells[mated], codes.count), non_mated)

    def shares(self, drawn: Shares | None = None) -> tuple[Shares, Shares]:
        """Distributions of the mated and of the non-mated ratios, each float64 array (replicates, cells).

        Args:
            drawn: float64 array (replicates, s), how often each subject is drawn; None for once each.
                A non-mated trial counts by the first-order part of its subjects' product, as in the bootstrap
                of the error rates.
        """
        weights = np.ones((1, len(self.subjects))) if drawn is None else drawn
        mated = weights @ self.mated
        non_mated = np.maximum((weights - 1) @ self.non_mated + self.non_mated.sum(axis=0) / 2, 0.0)
        return mated / mated.sum(axis=1, keepdims=True), non_mated / non_mated.sum(axis=1, keepdims=True)


def distribution(llrs: NDArray[np.float64]) -> Shares:
    """Distribution of ``llrs``, every one alike: float64 array (1, cells)."""
    return np.bincount(_cells(llrs), minlength=CELLS)[None, :] / llrs.size


def _cells(llrs: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.round((np.clip(llrs, -FARTHEST, FARTHEST) + FARTHEST) / STEP).astype(np.int64)


def _counted(subjects: NDArray[np.int64], cells: NDArray[np.int64], count: int) -> Shares:
    return np.bincount(subjects * CELLS + cells, minlength=count * CELLS).reshape(count, CELLS).astype(np.float64)


def summed(first: Shares, second: Shares) -> Shares:
    """Distribution of the sum of two independent ratios, float64 array (replicates, 2 * cells - 1)."""
    size = 1 << int(np.ceil(np.log2(2 * CELLS - 1)))
    product = np.fft.rfft(first, size) * np.fft.rfft(second, size)
    return np.maximum(np.fft.irfft(product, size)[:, : 2 * CELLS - 1], 0.0)


def reaching(shares: Shares, llrs: NDArray[np.float64]) -> Shares:
    """Share of a distribution (one row: ratios of one modality or summed ones) at or above each of ``llrs``."""
    middle = (shares.size - 1) / 2
    places = np.clip(np.ceil(llrs / STEP + middle - 1e-6), 0, shares.size).astype(np.int64)
    return np.append(np.cumsum(shares[::-1])[::-1], 0.0)[places]


def equal_error(mated: Shares, non_mated: Shares) -> Shares:
    """Equal error rate of each replicate, float64 array (replicates,)."""
    gap = np.cumsum(mated, axis=1) - (1.0 - np.cumsum(non_mated, axis=1))
    after = np.maximum(np.argmax(gap >= 0, axis=1), 1)
    rows = np.arange(len(gap))
    left, right = gap[rows, after - 1], gap[rows, after]
    part = np.clip(-left / np.where(right > left, right - left, 1.0), 0.0, 1.0)
    fnmr = np.cumsum(mated, axis=1)
    return np.asarray(fnmr[rows, after - 1] * (1 - part) + fnmr[rows, after] * part, dtype=np.float64)
