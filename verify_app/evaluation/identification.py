"""Error rates of searching a gallery (1:N), measured and carried over to galleries of other sizes.

ISO/IEC 19795-1: the false-positive identification rate (FPIR) is the share of searches for somebody who
is not in the gallery that return a candidate; the false-negative identification rate (FNIR) the share of
searches for somebody in it that do not return them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verify_app.domain import Interval
from verify_app.evaluation.intervals import rate_interval
from verify_app.evaluation.trials import Scores


@dataclass(frozen=True, slots=True, eq=False)
class Searches:
    """Outcomes of searches in a gallery of ``gallery`` subjects.

    Attributes:
        best_other: float64 array (s,), best score of each search over subjects that are not the one sought.
        own: float64 array (s,), score of the subject sought; minus infinity when not in the gallery.
        enrolled: bool array (s,), whether the subject sought is in the gallery.
        gallery: number of subjects searched, >= 1.
    """

    best_other: Scores
    own: Scores
    enrolled: NDArray[np.bool_]
    gallery: int

    def fpir(self, threshold: float) -> Interval:
        """Share of searches for somebody not enrolled that return a candidate at or above ``threshold``."""
        scores = self.best_other[~self.enrolled]
        return _rate(scores >= threshold)

    def fnir(self, threshold: float, rank: int = 1) -> Interval:
        """Share of searches for somebody enrolled that do not return them at or above ``threshold``.

        With ``rank`` 1 the subject sought must be the best candidate; with 0 any place counts.
        """
        own, other = self.own[self.enrolled], self.best_other[self.enrolled]
        missed = own < threshold
        return _rate(missed | (other >= own) if rank == 1 else missed)


def searches(scores: Scores, probe_subject: NDArray[np.int64], gallery_subject: NDArray[np.int64]) -> Searches:
    """Read searches off a matrix of scores.

    Args:
        scores: float64 array (probes, gallery).
        probe_subject: int64 array (probes,).
        gallery_subject: int64 array (gallery,), one row per subject.
    """
    same = probe_subject[:, None] == gallery_subject[None, :]
    best_other = np.where(same, -np.inf, scores).max(axis=1)
    own = np.where(same, scores, -np.inf).max(axis=1)
    return Searches(best_other, own, same.any(axis=1), gallery_subject.size)


def fpir_of_gallery(fmr: float, gallery: int) -> float:
    """FPIR of searching ``gallery`` subjects, each compared with false-match rate ``fmr``: 1 - (1 - fmr)^N.

    It takes the comparisons of one search to be independent. They are not quite: a probe that resembles
    one stranger resembles others, which makes the true rate lower.
    """
    if fmr >= 1:
        return 1.0 if gallery > 0 else 0.0
    return -math.expm1(gallery * math.log1p(-fmr))


def fmr_for_fpir(fpir: float, gallery: int) -> float:
    """False-match rate that each of ``gallery`` comparisons may have for the search to keep ``fpir``."""
    return -math.expm1(math.log1p(-fpir) / gallery) if fpir < 1 else 1.0


def fpir_of_other_gallery(fpir: float, measured: int, wanted: int) -> float:
    """FPIR measured with ``measured`` subjects, carried over to ``wanted``: 1 - (1 - FPIR)^(wanted / measured)."""
    return 1.0 if fpir >= 1 else -math.expm1(wanted / measured * math.log1p(-fpir))


def false_alarms(fpir: float, searches_per_day: float) -> float:
    """False alarms to expect per day from searches for people who are not enrolled."""
    return fpir * searches_per_day


def _rate(errors: NDArray[np.bool_]) -> Interval:
    if errors.size == 0:
        return Interval(0.0, 0.0, 1.0)
    return rate_interval(float(np.mean(errors)), float(errors.size))
