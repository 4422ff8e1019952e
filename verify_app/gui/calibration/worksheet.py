"""A set of trials with everything the page shows about it, computed off the window's thread. No Qt here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from verify_app.evaluation.cost import Costs
from verify_app.evaluation.det import DetCurve, det
from verify_app.evaluation.live import LiveRates
from verify_app.gui.calibration.readings import Histogram, Reliability, histogram, reliability
from verify_app.services.jobs import CancelledCheck, ProgressCallback, never_cancelled, no_progress, stop_if
from verify_app.services.operating_points import Point, operating_points

if TYPE_CHECKING:
    from verify_app.calibration.model import Calibration
    from verify_app.services.trial_sets import TrialSet

MOST_WORST = 40


@dataclass(frozen=True, slots=True, eq=False)
class Worksheet:
    """Trials, their curves and the calibration fitted to them.

    Attributes:
        trial_set: where the trials are from and what was excluded.
        live: error rates at any threshold.
        calibration: fitted for ``target_fmr``.
        histogram, curve, reliability: what the plots show.
        points: the fixed rows of the table.
    """

    trial_set: TrialSet
    live: LiveRates
    calibration: Calibration
    histogram: Histogram
    curve: DetCurve
    reliability: Reliability
    points: tuple[Point, ...]

    def threshold_for(self, target_fmr: float) -> float:
        """The threshold of the calibration for a target; infinity when no score is enough."""
        return self.calibration.threshold_at(target_fmr)

    def worst(self, *, mated: bool) -> NDArray[np.int64]:
        """Rows of the most surprising trials, the worst first: the least alike mated or the most alike others."""
        trials = self.live.trials
        rows = np.flatnonzero(trials.mated == mated)
        scores = trials.scores[rows]
        count = min(MOST_WORST, rows.size)
        order = np.argsort(scores if mated else -scores, kind="stable")[:count]
        return np.asarray(rows[order], dtype=np.int64)


def prepare(
    trial_set: TrialSet,
    target_fmr: float,
    costs: Costs | None = None,
    *,
    progress: ProgressCallback = no_progress,
    cancelled: CancelledCheck = never_cancelled,
) -> Worksheet:
    """Compute everything about a set of trials.

    Raises:
        UnusableInput: the trials cannot be calibrated.
        Cancelled: between two steps.
    """
    from verify_app.services.calibration_library import fit_trial_set

    progress(0, 3, "error rates")
    live = LiveRates(trial_set.trials)
    curve, shape = det(live.rates), histogram(live.rates)
    stop_if(cancelled)
    progress(1, 3, "calibration")
    calibration = fit_trial_set(trial_set, target_fmr=target_fmr)
    stop_if(cancelled)
    progress(2, 3, "operating points")
    ratios = [np.interp(part, calibration.curve.score, calibration.curve.llr) for part in _classes(live)]
    points = operating_points(live, calibration, costs or Costs())
    progress(3, 3)
    return Worksheet(trial_set, live, calibration, shape, curve, reliability(ratios[0], ratios[1]), points)


def _classes(live: LiveRates) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return live.rates.mated, live.rates.non_mated
