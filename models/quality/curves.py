"""How well a quality score foretells false non-matches: figures with intervals, and the picture of a card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verify_app.evaluation.discard import LIMIT, DiscardCurve, discard_comparisons, pair_quality

SHARES = (0.0, 0.05, 0.1, 0.2)
ROUNDS = 200
TARGET_FMR = 1e-2
"""Operating point of the curves: with a hundred subjects the errors beyond it are too few to sort."""


@dataclass(frozen=True)
class Samples:
    """Embedded samples of a split.

    Attributes:
        vectors: float32 (n, d), unit rows.
        subjects: (n,), names.
        quality: float64 (n,), 0..1.
    """

    vectors: NDArray[np.float32]
    subjects: NDArray[Any]
    quality: NDArray[np.float64]


@dataclass(frozen=True)
class Mated:
    """Mated comparisons of probes with references at a fixed threshold.

    Attributes:
        scores: float64 (m,).
        quality: float64 (m,), that of the worse sample.
        subjects: int (m,), whose comparison it is.
        threshold: where the FMR among the references is the target.
    """

    scores: NDArray[np.float64]
    quality: NDArray[np.float64]
    subjects: NDArray[np.int64]
    threshold: float

    def curve(self, rows: NDArray[np.int64] | slice = slice(None)) -> DiscardCurve:
        """The error-versus-discard curve of some of the comparisons."""
        return discard_comparisons(self.scores[rows], self.quality[rows], self.threshold)


def threshold_at(references: Samples, target_fmr: float = TARGET_FMR) -> float:
    """The threshold at which ``target_fmr`` of the non-mated pairs of references match."""
    scores = references.vectors @ references.vectors.T
    other = np.triu(references.subjects[:, None] != references.subjects[None, :], 1)
    return float(np.quantile(scores[other].astype(np.float64), 1 - target_fmr))


def mated(probes: Samples, references: Samples, target_fmr: float = TARGET_FMR) -> Mated:
    """All mated comparisons of probe ``i`` with reference ``j``, never of a sample with itself or its own copy.

    Both hold the same samples in the same order; where they are the same object each pair counts once.
    """
    same = probes.subjects[:, None] == references.subjects[None, :]
    apart = np.triu(same, 1) if probes is references else same & ~np.eye(len(same), dtype=bool)
    first, second = np.nonzero(apart)
    return Mated(
        np.einsum("ij,ij->i", probes.vectors[first], references.vectors[second]).astype(np.float64),
        pair_quality(probes.quality[first], references.quality[second]),
        np.unique(probes.subjects, return_inverse=True)[1][first].astype(np.int64),
        threshold_at(references, target_fmr),
    )


def figures(comparisons: Mated) -> dict[str, Any]:
    """FNMR when shares are set aside, the efficacy, and 95 % intervals by drawing subjects."""
    curve = comparisons.curve()
    chance = np.random.default_rng(0)
    own = [np.flatnonzero(comparisons.subjects == subject) for subject in np.unique(comparisons.subjects)]
    drawn = []
    for _ in range(ROUNDS):
        again = comparisons.curve(np.concatenate([own[n] for n in chance.integers(0, len(own), len(own))]))
        drawn.append([again.efficacy(), float(again.fnmr(LIMIT) / max(float(again.fnmr(0.0)), 1e-12))])
    efficacy, ratio = np.quantile(np.array(drawn), [0.025, 0.975], axis=0).T
    return {
        "comparisons": len(comparisons.scores),
        "threshold": curve.threshold,
        "fnmr": {f"{share:g}": round(float(curve.fnmr(share)), 4) for share in SHARES},
        "efficacy": {"value": round(curve.efficacy(), 3), "interval": np.round(efficacy, 3).tolist()},
        "fnmr at 0.2 / fnmr at 0": {
            "value": round(float(curve.fnmr(LIMIT) / curve.fnmr(0.0)), 3),
            "interval": np.round(ratio, 3).tolist(),
        },
    }


def draw(found: Mapping[str, Mapping[str, DiscardCurve]], file: Path) -> None:
    """One chart for each set of comparisons, one line for each quality score."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    shares = np.linspace(0, 0.5, 101)
    chart, axes = pyplot.subplots(1, len(found), figsize=(4.6 * len(found), 3.4), layout="constrained", squeeze=False)
    for axis, (title, curves) in zip(axes[0], found.items(), strict=True):
        for (name, curve), style in zip(curves.items(), ("-", "--", "-."), strict=False):
            axis.plot(100 * shares, 100 * curve.fnmr(shares), style, label=name)
        first = next(iter(curves.values()))
        axis.axhline(100 * float(first.fnmr(0.0)), color="grey", linestyle=":", label="chance")
        axis.plot(100 * shares, 100 * first.ideal(shares), color="grey", linewidth=1, label="ideal")
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("comparisons set aside, %", fontsize=9)
        axis.set_ylabel(f"FNMR at FMR {TARGET_FMR:g}, %", fontsize=9)
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    chart.savefig(file, dpi=100)
    pyplot.close(chart)
