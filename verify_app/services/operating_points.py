"""Operating points of a calibration: false-match rates people ask for, equal errors, and the least expected cost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from verify_app.evaluation.cost import Costs, min_cost

if TYPE_CHECKING:
    from verify_app.calibration.model import Calibration
    from verify_app.evaluation.live import LiveRates, Reading, Support

TARGETS = (1e-2, 1e-3, 1e-4)


@dataclass(frozen=True, slots=True)
class Point:
    """One row of the table of operating points.

    Attributes:
        kind: ``"target"``, ``"equal"``, ``"cost"`` or ``"own"``.
        target_fmr: what was asked for, None where the threshold came first.
        reading: what happens there; None when no score is enough.
        support: whether the rate can be claimed.
    """

    kind: str
    target_fmr: float | None
    reading: Reading | None
    support: Support | None

    def as_dict(self) -> dict[str, Any]:
        """The row, ready for JSON."""
        reading, support = self.reading, self.support
        return {
            "kind": self.kind,
            "target_fmr": self.target_fmr,
            "threshold": None if reading is None else reading.threshold,
            "fmr": None if reading is None else reading.fmr.as_dict(),
            "fnmr": None if reading is None else reading.fnmr.as_dict(),
            "supported": None if support is None else support.supported,
            "needed_non_mated": None if support is None else support.comparisons,
        }


def operating_points(live: LiveRates, calibration: Calibration, costs: Costs | None = None) -> tuple[Point, ...]:
    """The points of :data:`TARGETS`, that of equal errors, and with ``costs`` that of the least expected cost."""
    points = [
        Point("target", target, _at(live, calibration.threshold_at(target)), live.support(target)) for target in TARGETS
    ]
    points.append(Point("equal", None, live.at(live.rates.eer_threshold()), None))
    if costs is not None:
        points.append(Point("cost", None, _at(live, calibration.threshold_at_llr(costs.llr_threshold)), None))
    return tuple(points)


def cost_figures(live: LiveRates, calibration: Calibration, costs: Costs) -> dict[str, Any]:
    """What the Bayes threshold costs, ready for JSON.

    ``dcf`` is the normalised detection cost at the threshold, ``min_dcf`` the least of any threshold on these
    trials (see :mod:`verify_app.evaluation.cost`): what lies between them is lost by calibration.
    """
    threshold = calibration.threshold_at_llr(costs.llr_threshold)
    least, place = min_cost(live.rates, costs)
    dcf = costs.of(live.rates.fmr([threshold]), live.rates.fnmr([threshold]))[0]
    return {
        "prior": costs.prior,
        "cost_false_match": costs.fmr,
        "cost_false_non_match": costs.fnmr,
        "llr_threshold": costs.llr_threshold,
        "threshold": threshold,
        "predicted_fmr": calibration.predicted_fmr(threshold).as_dict() if math.isfinite(threshold) else None,
        "dcf": float(dcf),
        "min_dcf": least,
        "min_dcf_threshold": place,
    }


def _at(live: LiveRates, threshold: float) -> Reading | None:
    return live.at(threshold) if math.isfinite(threshold) else None
