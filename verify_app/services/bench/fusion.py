"""Fusion measured on chimeric people (see :mod:`verify_app.services.bench.chimeras`).

Faces and voices are split into halves of subjects. The calibrations are fitted on all trials of the one half, and
what they predict is held against what is counted among the chimeras of the other half.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from verify_app.domain import Interval
from verify_app.reasons import ReasonCode, UnusableInput
from verify_app.services.jobs import CancelledCheck, ProgressCallback, never_cancelled, no_progress, stop_if

if TYPE_CHECKING:
    from verify_app.calibration.model import Calibration
    from verify_app.evaluation.trials import TrialScores
    from verify_app.services.bench.chimeras import RatioTable, Shares
    from verify_app.services.vector_table import LabelledVectors

FEWEST_SUBJECTS = 20
LEVELS = (1e-1, 1e-2, 1e-3, 1e-4)
REPLICATES = 200


@dataclass(frozen=True, slots=True)
class LevelFigures:
    """What the prediction of one false-match rate is worth, over the tests (two for every split).

    Attributes:
        predicted: the rate predicted.
        counted: counted rate among people the calibrations were not fitted on, mean of the tests.
        median: its median.
        highest: the highest of the tests.
        covered: share of the tests whose counted rate lies within the predicted interval.
        fnmr: counted FNMR at that prediction.
        decided: counted FMR where the upper bound, on which decisions rest, is at most ``predicted``.
        decided_fnmr: counted FNMR there.
    """

    predicted: float
    counted: float
    median: float
    highest: float
    covered: float
    fnmr: float
    decided: float
    decided_fnmr: float


@dataclass(frozen=True, slots=True)
class FusionFigures:
    """What fusion gains. Rates have 95 % intervals of a bootstrap that draws subjects of both modalities.

    Attributes:
        faces: number of subjects with faces.
        voices: number of subjects with voices.
        references: samples behind one reference.
        splits: how often the subjects were split into halves at random.
        face_eer: equal error rate of the faces, mean of the tests.
        voice_eer: that of the voices.
        fused_eer: that of the sum of the log-likelihood ratios.
        ratio: fused equal error rate as a share of the better modality's.
        weighted_eer: fused equal error rate with ratios weighted by the quality of the probe.
        levels: the predicted rates against the counted ones.
    """

    faces: int
    voices: int
    references: int
    splits: int
    face_eer: Interval
    voice_eer: Interval
    fused_eer: Interval
    ratio: Interval
    weighted_eer: Interval
    levels: tuple[LevelFigures, ...]

    def as_dict(self) -> dict[str, Any]:
        """The figures, ready for JSON."""
        return {
            "subjects": {"face": self.faces, "voice": self.voices},
            "references": self.references,
            "splits": self.splits,
            "face_eer": self.face_eer.as_dict(),
            "voice_eer": self.voice_eer.as_dict(),
            "fused_eer": self.fused_eer.as_dict(),
            "fused_to_better": self.ratio.as_dict(),
            "weighted_eer": self.weighted_eer.as_dict(),
            "predicted_fmr": {
                f"{level.predicted:.0e}": {
                    "counted": level.counted,
                    "median": level.median,
                    "highest": level.highest,
                    "covered": level.covered,
                    "fnmr": level.fnmr,
                    "decided": {"fmr": level.decided, "fnmr": level.decided_fnmr},
                }
                for level in self.levels
            },
        }


@dataclass(frozen=True, slots=True, eq=False)
class ScoredPeople:
    """All trials of one modality.

    Attributes:
        trials: the trials; subjects are numbers.
        weights: float64 array (n,), weight that the quality of each probe gives.
        subjects: int64 array (s,), ascending, the numbers of the subjects.
    """

    trials: TrialScores
    weights: NDArray[np.float64]
    subjects: NDArray[np.int64]

    @classmethod
    def of(cls, vectors: LabelledVectors, references: int = 1) -> ScoredPeople:
        """Score all pairs.

        Raises:
            UnusableInput: TRIALS_TOO_FEW with fewer than twenty subjects who have enough samples.
        """
        from verify_app.matching.fusion import quality_weight
        from verify_app.matching.pairs import score_pairs

        names, counts = np.unique(vectors.subjects, return_counts=True)
        names = names[counts > references]
        if names.size < FEWEST_SUBJECTS:
            raise UnusableInput(
                ReasonCode.TRIALS_TOO_FEW,
                f"Only {names.size} people have more samples than {references} for the reference, and "
                f"{FEWEST_SUBJECTS} are needed.",
                "Add people.",
            )
        kept = np.isin(vectors.subjects, names)
        numbers = np.searchsorted(names, vectors.subjects[kept])
        pairs = score_pairs(vectors.vectors[kept], numbers, references=references)
        quality = np.ones(len(kept)) if vectors.quality is None else np.asarray(vectors.quality, dtype=np.float64)
        weights = np.array([quality_weight(float(one)) for one in quality[kept]])
        return cls(pairs.trials, weights[pairs.probe_rows], np.arange(names.size))

    def part(self, subjects: NDArray[np.int64]) -> ScoredPeople:
        """The trials among some of the people."""
        wanted = np.zeros(self.subjects[-1] + 1, dtype=np.bool_)
        wanted[subjects] = True
        rows = np.flatnonzero(wanted[self.trials.reference_subject] & wanted[self.trials.probe_subject])
        return ScoredPeople(self.trials.select(rows), self.weights[rows], np.sort(subjects))

    def halves(self, rng: np.random.Generator) -> tuple[ScoredPeople, ScoredPeople]:
        """The trials within each of two random halves of the people."""
        order = rng.permutation(self.subjects)
        return self.part(order[::2]), self.part(order[1::2])

    def llrs(self, calibration: Calibration) -> NDArray[np.float64]:
        """The ratio of every trial."""
        return np.interp(self.trials.scores, calibration.curve.score, calibration.curve.llr)


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """Calibrations fitted on some people, and other people to test them on; faces first, voices second."""

    calibrations: tuple[Calibration, Calibration]
    fitted_on: tuple[ScoredPeople, ScoredPeople]
    people: tuple[ScoredPeople, ScoredPeople]

    def tables(self, *, weighted: bool = False) -> tuple[RatioTable, RatioTable]:
        """The ratios of the people tested, weighted by quality or not."""
        from verify_app.services.bench.chimeras import RatioTable

        face, voice = (
            RatioTable.of(people.trials, people.llrs(calibration) * (people.weights if weighted else 1.0))
            for people, calibration in zip(self.people, self.calibrations, strict=True)
        )
        return face, voice


def held_out(
    people: tuple[ScoredPeople, ScoredPeople], splits: int, *, method: str = "tail", seed: int = 0
) -> Iterator[HeldOut]:
    """Two tests for every random split of the people into halves: either half once fits and once is tested."""
    from verify_app.calibration.fit import fit

    rng = np.random.default_rng(seed)
    for _ in range(splits):
        faces, voices = (kind.halves(rng) for kind in people)
        for fitted, tested in ((0, 1), (1, 0)):
            train = (faces[fitted], voices[fitted])
            calibrations = [
                fit(kind.trials, method=method, modality=name)
                for kind, name in zip(train, ("face", "voice"), strict=True)
            ]
            yield HeldOut((calibrations[0], calibrations[1]), train, (faces[tested], voices[tested]))


def measure_fusion(
    faces: LabelledVectors,
    voices: LabelledVectors,
    *,
    references: int = 1,
    splits: int = 5,
    method: str = "tail",
    seed: int = 0,
    progress: ProgressCallback = no_progress,
    cancelled: CancelledCheck = never_cancelled,
) -> FusionFigures:
    """Measure fusion over several random splits of the people into halves.

    Raises:
        UnusableInput: TRIALS_TOO_FEW when either modality has fewer than twenty people with enough samples.
        Cancelled: when asked to stop.
    """
    people = (ScoredPeople.of(faces, references), ScoredPeople.of(voices, references))
    rng = np.random.default_rng(seed)
    counts = [kind.subjects.size for kind in people]
    drawn = [np.vstack([np.ones(n), rng.multinomial(n, np.full(n, 1 / n), REPLICATES)]) for n in counts]
    rates, levels = [], []
    for done, test in enumerate(held_out(people, splits, method=method, seed=seed)):
        stop_if(cancelled)
        progress(done, 2 * splits, "fitting and counting")
        draws = [draw[:, part.subjects] for draw, part in zip(drawn, test.people, strict=True)]
        rates.append(_equal_errors(test, draws))
        levels.append(predicted_and_counted(test))
    progress(2 * splits, 2 * splits, "")
    face, voice, fused, weighted = np.mean(rates, axis=0)
    return FusionFigures(
        counts[0],
        counts[1],
        references,
        splits,
        face_eer=_interval(face),
        voice_eer=_interval(voice),
        fused_eer=_interval(fused),
        ratio=_interval(fused / np.minimum(face, voice)),
        weighted_eer=_interval(weighted),
        levels=tuple(_level(predicted, np.array(levels)[:, :, place]) for place, predicted in enumerate(LEVELS)),
    )


def _equal_errors(test: HeldOut, draws: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Equal error rates of face, voice, sum and weighted sum, float64 array (4, replicates); the first is undrawn."""
    from verify_app.services.bench.chimeras import equal_error, summed

    found = []
    for weighted in (False, True):
        face, voice = (table.shares(draw) for table, draw in zip(test.tables(weighted=weighted), draws, strict=True))
        if not weighted:
            found += [equal_error(*face), equal_error(*voice)]
        found.append(equal_error(summed(face[0], voice[0]), summed(face[1], voice[1])))
    return np.stack(found)


def predicted_and_counted(test: HeldOut, levels: tuple[float, ...] = LEVELS) -> NDArray[np.float64]:
    """For every level: counted FMR, bounds of its prediction, FNMR, and both rates where the upper bound decides.

    Returns:
        float64 array (6, levels). All weights are one.
    """
    from verify_app.services.bench.chimeras import reaching, summed

    face, voice = (table.shares() for table in test.tables())
    mated, non_mated = summed(face[0], voice[0])[0], summed(face[1], voice[1])[0]
    thresholds, low, high = at_predicted(test.calibrations, levels, 0)
    deciding = at_predicted(test.calibrations, levels, 2)[0]
    return np.stack(
        [
            reaching(non_mated, thresholds),
            low,
            high,
            1.0 - reaching(mated, thresholds),
            reaching(non_mated, deciding),
            1.0 - reaching(mated, deciding),
        ]
    )


def at_predicted(
    calibrations: tuple[Calibration, Calibration], levels: tuple[float, ...], row: int
) -> tuple[Shares, Shares, Shares]:
    """Fused ratios where the predicted rate (``row`` 0) or its upper bound (2) is each level; the bounds there."""
    from verify_app.matching.fusion import fused_rates

    ends = [sum(float(one.curve.llr[place]) for one in calibrations) for place in (0, -1)]
    grid = np.linspace(ends[0], ends[1], 120)
    logs = np.log(fused_rates(grid, *calibrations, (1.0, 1.0)))
    thresholds = np.interp(-np.log(levels), -logs[row], grid)
    low, high = (np.exp(np.interp(thresholds, grid, logs[place])) for place in (1, 2))
    return thresholds, low, high


def _level(predicted: float, tests: NDArray[np.float64]) -> LevelFigures:
    counted, low, high, fnmr, decided, decided_fnmr = tests.T
    return LevelFigures(
        predicted,
        float(np.mean(counted)),
        float(np.median(counted)),
        float(np.max(counted)),
        float(np.mean((low <= counted) & (counted <= high))),
        float(np.mean(fnmr)),
        float(np.mean(decided)),
        float(np.mean(decided_fnmr)),
    )


def _interval(rates: NDArray[np.float64]) -> Interval:
    """The first rate, with the interval of the rest."""
    from verify_app.evaluation.intervals import percentile_interval

    return percentile_interval(float(rates[0]), rates[1:])
