"""Detection error trade-off: FMR against FNMR on probit axes (Martin et al., Eurospeech 1997; ISO/IEC 19795-1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from verify_app.evaluation.rates import ErrorRates
from verify_app.evaluation.trials import Scores


@dataclass(frozen=True, slots=True, eq=False)
class DetCurve:
    """Points of a DET curve, thinned for drawing.

    Attributes:
        threshold: float64 array (k,), ascending.
        fmr: float64 array (k,), falling.
        fnmr: float64 array (k,), rising.
    """

    threshold: Scores
    fmr: Scores
    fnmr: Scores

    def probit(self, floor: float) -> tuple[Scores, Scores]:
        """FMR and FNMR as normal deviates; rates outside ``floor``..1 - ``floor`` are drawn at the edge."""
        return probit(self.fmr, floor), probit(self.fnmr, floor)


def det(rates: ErrorRates, points: int = 600) -> DetCurve:
    """The DET curve at up to ``points`` thresholds, dense where either rate is small.

    Two normal distributions of scores give a straight line on probit axes.
    """
    parts = []
    for scores, tail_is_high in ((rates.non_mated, True), (rates.mated, False)):
        n = scores.size
        levels = np.concatenate([np.logspace(np.log10(0.5 / n), 0, points // 3), np.linspace(0, 1, points // 6)])
        places = np.clip(np.round(levels * n).astype(np.int64), 0, n - 1)
        parts.append(scores[n - 1 - places] if tail_is_high else scores[places])
    thresholds = np.unique(np.concatenate(parts))
    thresholds = np.append(thresholds, np.nextafter(max(rates.mated[-1], rates.non_mated[-1]), np.inf))
    return DetCurve(thresholds, rates.fmr(thresholds), rates.fnmr(thresholds))


def probit(rates: Scores, floor: float = 1e-6) -> Scores:
    """Normal deviates of rates (the quantile function of the standard normal distribution)."""
    from scipy.special import ndtri

    return np.asarray(ndtri(np.clip(rates, floor, 1 - floor)), dtype=np.float64)
