"""One set of labelled embeddings under every similarity, normalisation and dimension.

Half of the subjects serve to fit what needs fitting (metrics, components, cohorts); the other half are
measured, so that no similarity is judged on people it has seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from verify_app.domain import Interval
from verify_app.reasons import ReasonCode, UnusableInput
from verify_app.services.bench.maps import EmbeddingMap, embedding_map
from verify_app.services.jobs import CancelledCheck, ProgressCallback, never_cancelled, no_progress, stop_if

if TYPE_CHECKING:
    from verify_app.evaluation.det import DetCurve
    from verify_app.matching.similarity import Similarity

DIMENSIONS = (8, 16, 32, 64)
FEWEST_SUBJECTS = 8


@dataclass(frozen=True, slots=True, eq=False)
class BenchRow:
    """One way to compare, measured.

    Attributes:
        name: name of the similarity, with its normalisation or dimension.
        kind: ``"similarity"``, ``"normalisation"`` or ``"dimension"``.
        eer: equal error rate.
        fnmr: FNMR at FMR 1e-3.
        min_cllr: smallest Cllr that calibration can reach.
        min_cost: smallest normalised cost at a prior of 0.01.
        det: its DET curve.
    """

    name: str
    kind: str
    eer: Interval
    fnmr: Interval
    min_cllr: float
    min_cost: float
    det: DetCurve

    def as_dict(self) -> dict[str, Any]:
        """The figures, ready for JSON."""
        return {
            "name": self.name,
            "kind": self.kind,
            "eer": self.eer.as_dict(),
            "fnmr_at_fmr_1e-03": self.fnmr.as_dict(),
            "min_cllr": self.min_cllr,
            "min_cost_prior_0.01": self.min_cost,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Bench:
    """What the bench measured.

    Attributes:
        source: where the embeddings come from, in words.
        vectors: how many embeddings there are.
        fitted_subjects: how many subjects served to fit.
        measured_subjects: how many were measured.
        mated: number of mated trials measured.
        non_mated: number of non-mated trials measured.
        rows: one per way to compare.
        skipped: why a way could not be measured, by name.
        map: the embeddings of some measured subjects on their two main components.
    """

    source: str
    vectors: int
    fitted_subjects: int
    measured_subjects: int
    mated: int
    non_mated: int
    rows: tuple[BenchRow, ...]
    skipped: dict[str, str]
    map: EmbeddingMap

    def as_dict(self) -> dict[str, Any]:
        """The figures, ready for JSON."""
        return {
            "source": self.source,
            "vectors": self.vectors,
            "subjects": {"fitted": self.fitted_subjects, "measured": self.measured_subjects},
            "trials": {"mated": self.mated, "non_mated": self.non_mated},
            "rows": [row.as_dict() for row in self.rows],
            "skipped": self.skipped,
        }


def run_bench(
    vectors: NDArray[Any],
    subjects: NDArray[Any],
    source: str,
    *,
    dimensions: Sequence[int] = DIMENSIONS,
    seed: int = 0,
    progress: ProgressCallback = no_progress,
    cancelled: CancelledCheck = never_cancelled,
) -> Bench:
    """Measure every way to compare on the same trials.

    Args:
        vectors: array (n, d) of embeddings under one contract.
        subjects: array (n,), the subject of each.
        source: where they come from, in words.
        dimensions: lengths to shorten to; those not below d are passed over.
        seed: which half of the subjects is measured, and the bootstrap.
        progress: called as ways are finished.
        cancelled: asked before each.

    Raises:
        UnusableInput: TRIALS_TOO_FEW when there are too few subjects with two embeddings.
        Cancelled: when asked to stop.
    """
    measured = _half(subjects, seed)
    fit_on, fit_subjects = vectors[~measured], subjects[~measured]
    test, test_subjects = vectors[measured], subjects[measured]
    ways = list(_ways(fit_on, fit_subjects, dimensions))
    rows, skipped = [], {}
    for done, (name, kind, build) in enumerate(ways):
        stop_if(cancelled)
        progress(done, len(ways), name)
        try:
            rows.append(_measure(name, kind, build(), test, test_subjects, seed))
        except UnusableInput as error:
            skipped[name] = error.reason.message
    progress(len(ways), len(ways), "")
    same = int(sum(count * (count - 1) // 2 for count in np.unique(test_subjects, return_counts=True)[1]))
    return Bench(
        source,
        len(vectors),
        np.unique(fit_subjects).size,
        np.unique(test_subjects).size,
        same,
        len(test) * (len(test) - 1) // 2 - same,
        tuple(rows),
        skipped,
        embedding_map(test, test_subjects),
    )


def _half(subjects: NDArray[Any], seed: int) -> NDArray[np.bool_]:
    """Which embeddings are measured: those of a random half of the subjects."""
    names, counts = np.unique(subjects, return_counts=True)
    if np.count_nonzero(counts >= 2) < FEWEST_SUBJECTS:
        raise UnusableInput(
            ReasonCode.TRIALS_TOO_FEW,
            f"The bench needs {FEWEST_SUBJECTS} subjects with two samples each: it fits on one half of them and "
            f"measures on the other; there are {np.count_nonzero(counts >= 2)}.",
            "Add people or samples.",
        )
    rng = np.random.default_rng(seed)
    order = rng.permutation(names.size)
    order = order[np.argsort(counts[order] < 2, kind="stable")]  # those with pairs are shared out evenly
    return np.asarray(np.isin(subjects, names[order[::2]]), dtype=np.bool_)


def _ways(
    fit_on: NDArray[Any], fit_subjects: NDArray[Any], dimensions: Sequence[int]
) -> Iterator[tuple[str, str, Callable[[], Similarity]]]:
    from verify_app.matching.reduction import fit_pca, truncate
    from verify_app.matching.similarity import Cosine, similarity

    def fitted(name: str) -> Callable[[], Similarity]:
        return lambda: similarity(name, vectors=fit_on, subjects=fit_subjects)

    def normalised(name: str) -> Callable[[], Similarity]:
        return lambda: similarity(name, base=Cosine(), cohort=fit_on)

    def shortened(dimension: int, pca: bool) -> Callable[[], Similarity]:
        return lambda: fit_pca(fit_on, dimension) if pca else truncate(dimension, fit_on.shape[1])

    yield "cosine", "similarity", lambda: similarity("cosine")
    yield "euclidean", "similarity", lambda: similarity("euclidean")
    for name in ("mahalanobis", "lda", "plda", "kernel"):
        yield name, "similarity", fitted(name)
    for name in ("as-norm", "local"):
        yield f"{name} cosine", "normalisation", normalised(name)
    for dimension in dimensions:
        if dimension < fit_on.shape[1]:
            yield f"pca-{dimension} cosine", "dimension", shortened(dimension, True)
            yield f"truncated-{dimension} cosine", "dimension", shortened(dimension, False)


def _measure(
    name: str, kind: str, chosen: Similarity, vectors: NDArray[Any], subjects: NDArray[Any], seed: int
) -> BenchRow:
    from verify_app.evaluation.cost import min_cost
    from verify_app.evaluation.det import det
    from verify_app.evaluation.likelihood import min_cllr
    from verify_app.evaluation.rates import ErrorRates
    from verify_app.evaluation.report import summarise
    from verify_app.matching.pairs import score_pairs

    trials = score_pairs(vectors, subjects, similarity=chosen).trials
    summary, rates = summarise(trials, (1e-3,), seed=seed), ErrorRates.of(trials)
    fnmr = summary.operating_points[0].fnmr
    return BenchRow(name, kind, summary.eer, fnmr, min_cllr(rates), min_cost(rates)[0], det(rates, 240))
