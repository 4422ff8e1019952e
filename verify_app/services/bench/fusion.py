"""Fusion measured on chimeric people: the face of one person with the voice of another, as if they were one.

Faces and voices from separate collections are joined at random; a chimera is mated with itself alone. The
maps from scores to likelihood ratios are fitted on half of the chimeras and measured on the other half.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from verify_app.domain import Interval
from verify_app.reasons import ReasonCode, UnusableInput
from verify_app.services.jobs import CancelledCheck, ProgressCallback, never_cancelled, no_progress, stop_if

if TYPE_CHECKING:
    from verify_app.evaluation.trials import TrialScores
    from verify_app.services.vector_table import LabelledVectors

FEWEST_CHIMERAS = 20


@dataclass(frozen=True, slots=True)
class FusionFigures:
    """What fusion gains.

    Attributes:
        chimeras: number of chimeric people in each joining.
        joinings: how many random joinings were measured.
        mated: mated trials of each joining.
        non_mated: non-mated trials of each joining.
        face_eer: equal error rate of the faces, mean over the joinings.
        voice_eer: that of the voices.
        fused_eer: that of the sum of the quality-weighted log-likelihood ratios; the interval is the widest
            found in any joining.
        fused_fmr: counted FMR where the fused ratio predicts at most 1e-3.
        fused_fnmr: counted FNMR there.
    """

    chimeras: int
    joinings: int
    mated: int
    non_mated: int
    face_eer: float
    voice_eer: float
    fused_eer: Interval
    fused_fmr: float
    fused_fnmr: float

    @property
    def ratio(self) -> float:
        """Fused equal error rate as a share of the better modality's."""
        return self.fused_eer.value / min(self.face_eer, self.voice_eer)

    def as_dict(self) -> dict[str, Any]:
        """The figures, ready for JSON."""
        return {
            "chimeras": self.chimeras,
            "joinings": self.joinings,
            "trials": {"mated": self.mated, "non_mated": self.non_mated},
            "face_eer": self.face_eer,
            "voice_eer": self.voice_eer,
            "fused_eer": self.fused_eer.as_dict(),
            "fused_to_better": self.ratio,
            "at_predicted_fmr_1e-03": {"fmr": self.fused_fmr, "fnmr": self.fused_fnmr},
        }


@dataclass(frozen=True, slots=True, eq=False)
class _Joined:
    """Trials of chimeras in both modalities, row by row."""

    face: NDArray[np.float64]
    voice: NDArray[np.float64]
    weights: NDArray[np.float64]
    mated: NDArray[np.bool_]
    reference: NDArray[np.int64]
    probe: NDArray[np.int64]

    def trials(self, scores: NDArray[np.float64], rows: NDArray[np.bool_] | None = None) -> TrialScores:
        from verify_app.evaluation.trials import TrialScores

        found = TrialScores(scores, self.mated, self.reference, self.probe)
        return found if rows is None else found.select(rows)


def measure_fusion(
    faces: LabelledVectors,
    voices: LabelledVectors,
    *,
    joinings: int = 10,
    seed: int = 0,
    progress: ProgressCallback = no_progress,
    cancelled: CancelledCheck = never_cancelled,
) -> FusionFigures:
    """Measure fusion over several random joinings of faces and voices.

    Raises:
        UnusableInput: TRIALS_TOO_FEW when fewer than twenty chimeras can be made.
        Cancelled: when asked to stop.
    """
    rng = np.random.default_rng(seed)
    found = []
    for done in range(joinings):
        stop_if(cancelled)
        progress(done, joinings, "joining faces and voices")
        found.append(_measure_joining(faces, voices, rng))
    progress(joinings, joinings, "")
    joined, results = found[0][0], [result for _, result in found]
    mean = [float(np.mean([result[place] for result in results])) for place in (0, 1, 3, 4)]
    fused = [result[2] for result in results]
    value = float(np.mean([one.value for one in fused]))
    interval = Interval(value, min(one.low for one in fused), max(one.high for one in fused))
    return FusionFigures(
        np.unique(joined.reference).size,
        joinings,
        int(joined.mated.sum()),
        int((~joined.mated).sum()),
        mean[0],
        mean[1],
        interval,
        mean[2],
        mean[3],
    )


def _measure_joining(
    faces: LabelledVectors, voices: LabelledVectors, rng: np.random.Generator
) -> tuple[_Joined, tuple[float, float, Interval, float, float]]:
    from verify_app.evaluation.rates import ErrorRates
    from verify_app.evaluation.report import summarise

    joined = _join(faces, voices, rng)
    chimeras = int(max(joined.reference.max(), joined.probe.max())) + 1
    half = rng.permutation(chimeras) % 2
    fused, predicted = np.full(joined.mated.size, np.nan), np.full(joined.mated.size, np.nan)
    for part in (0, 1):
        inside = (half[joined.reference] == part) & (half[joined.probe] == part)
        outside = (half[joined.reference] != part) & (half[joined.probe] != part)
        fused[inside], predicted[inside] = _fuse(joined, outside, inside)
    rows = np.isfinite(fused)
    trials = joined.trials(np.where(rows, fused, 0.0), rows)
    face, voice = (ErrorRates.of(joined.trials(scores, rows)).eer() for scores in (joined.face, joined.voice))
    accepted = predicted[rows] <= 1e-3
    fmr = float(np.mean(accepted[~trials.mated]))
    fnmr = float(np.mean(~accepted[trials.mated]))
    return joined, (face, voice, summarise(trials, ()).eer, fmr, fnmr)


def _fuse(
    joined: _Joined, fit_on: NDArray[np.bool_], rows: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fused ratios of some rows, and the false-match rate each predicts, with maps fitted on other rows."""
    from verify_app.calibration.fit import fit
    from verify_app.matching.fusion import fused_fmr

    calibrations = [
        fit(joined.trials(scores, fit_on), method="tail", modality=name)
        for name, scores in (("face", joined.face), ("voice", joined.voice))
    ]
    llrs = [
        np.interp(scores[rows], calibration.curve.score, calibration.curve.llr)
        for scores, calibration in zip((joined.face, joined.voice), calibrations, strict=True)
    ]
    weights = joined.weights[rows]
    fused = weights[:, 0] * llrs[0] + weights[:, 1] * llrs[1]
    # The predicted rate depends on the weights too; rounding them leaves few curves to compute.
    predicted = np.empty(fused.size)
    rounded = np.round(weights, 1)
    for pair in np.unique(rounded, axis=0):
        same = (rounded == pair).all(axis=1)
        grid = np.linspace(fused[same].min(), fused[same].max(), 80)
        weighted = (float(pair[0]), float(pair[1]))
        rates = [fused_fmr(float(llr), calibrations[0], calibrations[1], weighted).value for llr in grid]
        logs = np.log(np.maximum(rates, 1e-15))
        predicted[same] = np.exp(np.interp(fused[same], grid, logs))
    return fused, predicted


def _join(faces: LabelledVectors, voices: LabelledVectors, rng: np.random.Generator) -> _Joined:
    """Chimeras: the people with most faces joined with random voices; as many trials as the scarcer modality has."""
    from verify_app.matching.fusion import quality_weight
    from verify_app.matching.similarity import Cosine

    face_names, face_counts = np.unique(faces.subjects, return_counts=True)
    voice_names, voice_counts = np.unique(voices.subjects, return_counts=True)
    face_names, voice_names = face_names[face_counts >= 2], voice_names[voice_counts >= 2]
    count = min(face_names.size, voice_names.size)
    if count < FEWEST_CHIMERAS:
        raise UnusableInput(
            ReasonCode.TRIALS_TOO_FEW,
            f"Only {count} people with two samples can be joined from both files, and {FEWEST_CHIMERAS} are needed.",
            "Add people.",
        )
    scores = [Cosine().compare(kind.vectors, kind.vectors) for kind in (faces, voices)]
    weights = [
        np.array([quality_weight(float(one)) for one in kind.quality])
        if kind.quality is not None
        else np.ones(len(kind.vectors))
        for kind in (faces, voices)
    ]
    chosen_faces, chosen_voices = rng.permutation(face_names)[:count], rng.permutation(voice_names)[:count]
    face_rows = [np.flatnonzero(faces.subjects == name) for name in chosen_faces]
    voice_rows = [np.flatnonzero(voices.subjects == name) for name in chosen_voices]
    parts = []
    for i in range(count):
        for j in range(i, count):
            face, voice = _pairs(face_rows[i], face_rows[j], i == j), _pairs(voice_rows[i], voice_rows[j], i == j)
            size = max(len(face), len(voice))
            face = face[np.resize(rng.permutation(len(face)), size)]
            voice = voice[np.resize(rng.permutation(len(voice)), size)]
            parts.append(
                (
                    scores[0][face[:, 0], face[:, 1]],
                    scores[1][voice[:, 0], voice[:, 1]],
                    np.column_stack([weights[0][face[:, 1]], weights[1][voice[:, 1]]]),
                    np.full(size, i == j),
                    np.full(size, i),
                    np.full(size, j),
                )
            )
    return _Joined(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _pairs(first: NDArray[np.int64], second: NDArray[np.int64], same: bool) -> NDArray[np.int64]:
    """All pairs of rows (k, 2); within one subject each unordered pair once."""
    if same:
        i, j = np.triu_indices(first.size, 1)
        return np.column_stack([first[i], first[j]])
    return np.column_stack([np.repeat(first, second.size), np.tile(second, first.size)])
