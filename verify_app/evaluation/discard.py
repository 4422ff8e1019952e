"""Does a quality score foretell errors? FNMR as the comparisons of lowest quality are set aside.

The error-versus-discard characteristic of ISO/IEC 29794-1, after P. Grother and E. Tabassi, "Performance of
biometric quality measures", IEEE PAMI 29(4), 2007. A comparison is as good as the worse of its two samples. A
quality score that knows nothing gives a level curve; one that knows everything lets the errors go first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from verify_app.evaluation.trials import Scores

LIMIT = 0.2
"""Up to this share of discarded comparisons the area is taken: nobody discards most of what was captured."""
_STEPS = 400


@dataclass(frozen=True, slots=True, eq=False)
class DiscardCurve:
    """FNMR at one threshold against the share set aside. Between its points the counts run straight.

    Attributes:
        threshold: scores below it are false non-matches.
        discarded: float64 (k,), share set aside, from 0, ascending; what is of one quality goes together.
        errors: float64 (k,), false non-matches among the mated comparisons that are left.
        kept: float64 (k,), mated comparisons left; the last may be 0.
    """

    threshold: float
    discarded: Scores
    errors: Scores
    kept: Scores

    def fnmr(self, shares: ArrayLike) -> Scores:
        """FNMR of what is left when ``shares`` (0..1) are set aside; 0 where nothing is left.

        Where a share cuts through samples of equal quality, the mean over every way to cut.
        """
        points = np.asarray(shares, np.float64)
        errors, kept = (np.interp(points, self.discarded, counts) for counts in (self.errors, self.kept))
        return np.asarray(np.divide(errors, kept, out=np.zeros_like(kept), where=kept > 0), np.float64)

    def ideal(self, shares: ArrayLike) -> Scores:
        """FNMR of a quality score that sets the errors aside first."""
        start = self.errors[0] / self.kept[0]
        share = np.asarray(shares, np.float64)
        left = np.maximum(1.0 - share, 1e-12)
        return np.asarray(np.maximum(start - share, 0.0) / left, np.float64)

    def area(self, limit: float = LIMIT) -> float:
        """Mean FNMR while from nothing up to ``limit`` (0..1) is set aside."""
        return _mean(self.fnmr(_grid(limit)))

    def efficacy(self, limit: float = LIMIT) -> float:
        """How far the area lies on the way from chance to the ideal.

        0: no better than setting aside at random; 1: every error goes first; below 0: good samples go first.
        0 when there is no error at all.
        """
        chance = float(self.errors[0] / self.kept[0])
        best = _mean(self.ideal(_grid(limit)))
        return 0.0 if chance <= best else (chance - self.area(limit)) / (chance - best)


def discard_comparisons(mated_scores: Scores, qualities: ArrayLike, threshold: float) -> DiscardCurve:
    """The curve when comparisons are set aside, the poorest first.

    Args:
        mated_scores: float64 (m,), at least one.
        qualities: (m,), quality of each comparison: that of the worse sample, see :func:`pair_quality`.
        threshold: scores below it are false non-matches.

    Raises:
        ValueError: no score, differing lengths, or a quality that is not a number.
    """
    qualities = _checked(mated_scores, qualities)
    order = np.argsort(qualities, kind="stable")
    wrong = np.cumsum(np.asarray(mated_scores, np.float64)[order] < threshold)
    # Only whole groups of equal quality make points of the curve.
    ends = np.flatnonzero(np.append(np.diff(qualities[order]) > 0, True)) + 1
    gone = np.concatenate([[0], ends])
    errors = wrong[-1] - np.concatenate([[0], wrong[ends - 1]])
    return DiscardCurve(threshold, gone / gone[-1], errors.astype(np.float64), (gone[-1] - gone).astype(np.float64))


def discard_samples(
    mated_scores: Scores,
    first: NDArray[np.integer],
    second: NDArray[np.integer],
    sample_qualities: ArrayLike,
    threshold: float,
) -> DiscardCurve:
    """The curve when samples are set aside, the poorest first, with every comparison they take part in.

    Args:
        mated_scores: float64 (m,), at least one.
        first: int (m,), position of one sample of each comparison in ``sample_qualities``.
        second: int (m,), position of the other.
        sample_qualities: (n,), quality of each sample.
        threshold: scores below it are false non-matches.

    Raises:
        ValueError: as :func:`discard_comparisons`.
    """
    samples = np.asarray(sample_qualities, np.float64)
    pairs = pair_quality(samples[first], samples[second])
    curve = discard_comparisons(mated_scores, pairs, threshold)
    levels = np.unique(samples)
    gone = np.concatenate([[0.0], np.searchsorted(np.sort(samples), levels, side="right") / samples.size])
    # Setting aside all samples up to a level leaves the comparisons whose worse sample lies above it.
    lost = np.concatenate([[0.0], np.searchsorted(np.sort(pairs), levels, side="right") / pairs.size])
    errors, kept = (np.interp(lost, curve.discarded, counts) for counts in (curve.errors, curve.kept))
    return DiscardCurve(threshold, gone, errors, kept)


def pair_quality(first: ArrayLike, second: ArrayLike) -> Scores:
    """Quality of comparisons: that of the worse of the two samples."""
    return np.minimum(np.asarray(first, np.float64), np.asarray(second, np.float64))


def _checked(scores: Scores, qualities: ArrayLike) -> Scores:
    given = np.asarray(qualities, np.float64)
    if given.ndim != 1 or given.shape != np.shape(scores) or given.size == 0:
        raise ValueError(f"{np.size(scores)} scores and {given.size} qualities: give one for each, at least one")
    if np.isnan(given).any():
        raise ValueError("a quality is not a number")
    return given


def _grid(limit: float) -> Scores:
    return np.linspace(0.0, limit, _STEPS + 1)


def _mean(values: Scores) -> float:
    return float((values[1:] + values[:-1]).mean() / 2)
