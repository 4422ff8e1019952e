"""Measure the fusion of face and voice on the development people, and document it.

    python -m models.measure_fusion --data ../shared/data

Three questions: what fusion gains, how well its predicted false-match rate holds among people the calibrations
have not seen, and where a difference comes from. The embeddings are kept in the training cache
(``VERIFY_TRAINING_CACHE``) by the digest of the encoder; with them a run takes about a minute of one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.calibrate_general import embed
from models.training.prepare_faces import default_cache
from verify_app.calibration.fit import fit
from verify_app.calibration.model import Calibration
from verify_app.domain import Interval, Modality
from verify_app.encoders.manifest import load_manifest
from verify_app.evaluation.trials import TrialScores
from verify_app.matching.fusion import fused_rates
from verify_app.services.bench.chimeras import distribution, equal_error, reaching, summed
from verify_app.services.bench.fusion import (
    LEVELS,
    FusionFigures,
    HeldOut,
    ScoredPeople,
    at_predicted,
    held_out,
    measure_fusion,
)
from verify_app.services.vector_table import LabelledVectors, read_vectors

MARKERS = ("<!-- fusion -->", "<!-- end of fusion -->")
NAMES = ("face", "voice")
FEW = 25
"""So few speakers are left for the test of what few speakers do; there are as many faces in a half."""

Ratios: TypeAlias = NDArray[np.float64]
"""Counted over predicted false-match rate at every level."""
People: TypeAlias = tuple[ScoredPeople, ScoredPeople]
Calibrations: TypeAlias = tuple[Calibration, Calibration]


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the data packs")
    parser.add_argument("--cache", type=Path, default=default_cache(), help="folder the embeddings are kept in")
    parser.add_argument("--splits", type=int, default=5, help="random splits of the people into halves")
    parser.add_argument("--document", type=Path, default=Path("docs/calibration.md"), help="where the figures go")
    arguments = parser.parse_args()
    faces, voices = (embeddings(modality, arguments.data, arguments.cache) for modality in Modality)
    figures = [measure_fusion(faces, voices, references=count, splits=arguments.splits) for count in (1, 3)]
    lines = [*gains(figures), *predictions(figures)]
    print("\n".join(lines), flush=True)
    lines += causes(faces, voices, arguments.splits)
    lines += combinations(faces, voices, arguments.splits)
    print("\n".join(lines))
    document(arguments.document, lines)


def embeddings(modality: Modality, data: Path, cache: Path) -> LabelledVectors:
    """Embeddings of the development samples, from the cache when this encoder made them before."""
    digest = load_manifest().default(f"{modality.value}-encoder").sha256
    file = cache / "fusion" / f"{modality.value}-{digest[:12]}.npz"
    if not file.is_file():
        found = embed(modality, load_manifest(), data, None)
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez(file, vectors=found.vectors, subjects=found.subjects, quality=found.quality, modality=modality.value)
    return read_vectors(file)


def gains(figures: list[FusionFigures]) -> list[str]:
    """What fusion gains, with one and with three references."""
    rows = [
        [
            f"{one.references}",
            *(_percent(rate) for rate in (one.face_eer, one.voice_eer, one.fused_eer)),
            f"{one.ratio.value:.3f} ({one.ratio.low:.3f}–{one.ratio.high:.3f})",
            _percent(one.weighted_eer),
        ]
        for one in figures
    ]
    head = ["references", "face EER", "voice EER", "fused EER", "fused / better", "fused EER, weighted by quality"]
    models = [load_manifest().default(f"{name}-encoder") for name in NAMES]
    encoders = ", ".join(f"`{model.name}` {model.sha256[:12]}…" for model in models)
    counts = f"{figures[0].faces} faces, {figures[0].voices} speakers, {figures[0].splits} splits"
    return [f"Encoders: {encoders}. {counts}.", "", *_table(head, rows)]


def predictions(figures: list[FusionFigures]) -> list[str]:
    """Predicted against counted rates."""
    rows = [
        [
            f"{one.references}",
            f"{level.predicted:.0e}",
            f"{level.counted:.2e} ({level.median:.2e}; {level.highest:.2e})",
            f"{100 * level.covered:.0f} %",
            f"{100 * level.fnmr:.2f} %",
            f"{level.decided:.2e}",
            f"{100 * level.decided_fnmr:.2f} %",
        ]
        for one in figures
        for level in one.levels
    ]
    head = ["references", "FMR predicted", "counted: mean (median; highest)", "within the interval", "FNMR"]
    return _table([*head, "FMR where the upper bound decides", "FNMR there"], rows)


def causes(faces: LabelledVectors, voices: LabelledVectors, splits: int) -> list[str]:
    """Counted over predicted false-match rate, one possible cause at a time."""
    people = (ScoredPeople.of(faces), ScoredPeople.of(voices))
    few = few_speakers(voices)
    everybody = fitted(people)
    tests = list(held_out(people, splits))
    tests_of_few = [test for seed in range(splits) for test in held_out((people[0], next(few)), 1, seed=seed)]
    rows = {
        "simulated independent scores": [simulated(seed) for seed in range(4)],
        "the same people": [fused(test.calibrations, test.fitted_on) for test in tests],
        "the same people, pairs not fitted on": list(other_pairs(people, splits)),
        "the same people, one joining each": [one_joining(everybody, people, seed) for seed in range(4 * splits)],
        "other people": [fused(test.calibrations, test.people) for test in tests],
        "other people, weighted by quality": [weighted(test.calibrations, test.people) for test in tests[:2]],
        "other people, faces alone": [alone(test.calibrations[0], test.people[0]) for test in tests],
        "other people, voices alone": [alone(test.calibrations[1], test.people[1]) for test in tests],
        f"other people, {FEW} speakers in a half": [fused(test.calibrations, test.people) for test in tests_of_few],
        "the same, voices alone": [alone(test.calibrations[1], test.people[1]) for test in tests_of_few],
        "the same people, joined by likeness": joined_by_likeness(everybody, people, faces, voices),
    }
    cells = [
        [name, *(f"{np.mean(found, axis=0)[at]:.2f} ({np.min(found, axis=0)[at]:.2f}–{np.max(found, axis=0)[at]:.2f})"
                 for at in range(len(LEVELS)))]
        for name, found in rows.items()
    ]  # fmt: skip
    return _table(["counted / predicted: mean (range)", *(f"at {level:.0e}" for level in LEVELS)], cells)


def fitted(people: People, method: str = "tail") -> Calibrations:
    """Calibrations of all trials."""
    face, voice = (fit(kind.trials, method=method, modality=name) for kind, name in zip(people, NAMES, strict=True))
    return face, voice


def few_speakers(voices: LabelledVectors) -> Iterator[ScoredPeople]:
    """Random choices of twice :data:`FEW` speakers."""
    rng = np.random.default_rng(1)
    names = np.unique(voices.subjects)
    while True:
        kept = np.isin(voices.subjects, rng.choice(names, 2 * FEW, replace=False))
        yield ScoredPeople.of(
            replace(voices, vectors=voices.vectors[kept], subjects=voices.subjects[kept], quality=None)
        )


def fused(calibrations: Calibrations, people: People) -> Ratios:
    """Over all joinings of these people."""
    face, voice = (
        distribution(kind.llrs(calibration)[~kind.trials.mated])
        for kind, calibration in zip(people, calibrations, strict=True)
    )
    return reaching(summed(face, voice)[0], at_predicted(calibrations, LEVELS, 0)[0]) / LEVELS


def alone(calibration: Calibration, people: ScoredPeople) -> Ratios:
    """One modality by itself."""
    scores = people.trials.scores[~people.trials.mated]
    return np.array([np.mean(scores >= calibration.threshold_at(level)) / level for level in LEVELS])


def simulated(seed: int) -> Ratios:
    """Normal scores without any people: what the fit and the convolution themselves add."""
    rng = np.random.default_rng(seed)
    halves = []
    for _ in range(2):
        scores = np.concatenate([rng.normal(2.5, 1.0, 20_000), rng.normal(0.0, 1.0, 400_000)])
        mated = np.arange(scores.size) < 20_000
        half = rng.random(scores.size) < 0.5
        halves.append([TrialScores(scores[rows], mated[rows]) for rows in (half, ~half)])
    people = [[ScoredPeople(one, np.ones(len(one)), np.zeros(0, np.int64)) for one in half] for half in halves]
    return fused(fitted((people[0][0], people[1][0])), (people[0][1], people[1][1]))


def other_pairs(people: People, splits: int) -> Iterator[Ratios]:
    """Fitted on a random half of the trials, counted on the other half: the same people in both."""
    rng = np.random.default_rng(2)
    for _ in range(splits):
        halves = []
        for kind in people:
            chosen = rng.random(len(kind.trials)) < 0.5
            halves.append([replace(kind, trials=kind.trials.select(rows), weights=kind.weights[rows])
                           for rows in (chosen, ~chosen)])  # fmt: skip
        yield fused(fitted((halves[0][0], halves[1][0])), (halves[0][1], halves[1][1]))


def one_joining(calibrations: Calibrations, people: People, seed: int) -> Ratios:
    """One random joining: what the shared identities of chimeras add."""
    rng = np.random.default_rng(seed)
    count = min(kind.subjects.size for kind in people)
    return joined(calibrations, people, [rng.permutation(kind.subjects)[:count] for kind in people], seed)


def joined_by_likeness(
    calibrations: Calibrations, people: People, faces: LabelledVectors, voices: LabelledVectors
) -> list[Ratios]:
    """Joined in the order of a principal component of each: who looks alike sounds alike, as in life."""
    rng = np.random.default_rng(3)
    found = []
    for component in ((0, 0), (0, 1), (1, 0), (1, 1)):
        for sign in (1, -1):
            places = [_component(kind, at) for kind, at in zip((faces, voices), component, strict=True)]
            count = min(map(len, places))
            chosen = [np.sort(rng.permutation(len(place))[:count]) for place in places]
            orders = [one[np.argsort(place[one])] for one, place in zip(chosen, places, strict=True)]
            found.append(joined(calibrations, people, [orders[0], orders[1][::sign]], 0))
    return found


def _component(vectors: LabelledVectors, at: int) -> NDArray[np.float64]:
    """Every subject's place on a principal component of the subjects' means."""
    means = np.array([vectors.vectors[vectors.subjects == name].mean(axis=0) for name in np.unique(vectors.subjects)])
    return np.asarray(np.linalg.svd(means - means.mean(axis=0), full_matrices=False)[0][:, at], dtype=np.float64)


def joined(
    calibrations: Calibrations, people: People, subjects: list[NDArray[np.int64]], seed: int, draws: int = 200
) -> Ratios:
    """One given joining, ``subjects[0][k]`` with ``subjects[1][k]``: ``draws`` random trials of each pair of people."""
    rng = np.random.default_rng(seed)
    thresholds = at_predicted(calibrations, LEVELS, 0)[0]
    total = np.zeros(len(LEVELS))
    lists = [_by_pair(kind, calibration) for kind, calibration in zip(people, calibrations, strict=True)]
    first, second = np.triu_indices(len(subjects[0]), 1)
    for i, j in zip(first, second, strict=True):
        sums = np.zeros(draws)
        for found, order in zip(lists, subjects, strict=True):
            values = found[min(order[i], order[j]), max(order[i], order[j])]
            sums += values[rng.integers(values.size, size=draws)]
        total += np.mean(sums[:, None] >= thresholds, axis=0)
    return total / first.size / LEVELS


def _by_pair(people: ScoredPeople, calibration: Calibration) -> dict[tuple[int, int], NDArray[np.float64]]:
    """The non-mated ratios of every two people."""
    others = ~people.trials.mated
    ends = [np.asarray(one)[others] for one in (people.trials.reference_subject, people.trials.probe_subject)]
    low, high = np.minimum(*ends), np.maximum(*ends)
    order = np.lexsort((high, low))
    low, high, llrs = low[order], high[order], people.llrs(calibration)[others][order]
    starts = np.flatnonzero(np.append(True, (np.diff(low) != 0) | (np.diff(high) != 0)))
    parts = np.split(llrs, starts[1:])
    return {(int(low[start]), int(high[start])): part for start, part in zip(starts, parts, strict=True)}


def weighted(calibrations: Calibrations, people: People, draws: int = 400_000) -> Ratios:
    """Random non-mated trials under the weights of their own qualities, rounded to tenths as few curves then do."""
    rng = np.random.default_rng(4)
    rows = [rng.choice(np.flatnonzero(~kind.trials.mated), draws) for kind in people]
    weights = np.column_stack([np.round(kind.weights[one], 1) for kind, one in zip(people, rows, strict=True)])
    llrs = np.column_stack(
        [kind.llrs(calibration)[one] for kind, calibration, one in zip(people, calibrations, rows, strict=True)]
    )
    sums = (weights * llrs).sum(axis=1)
    accepted = np.zeros(len(LEVELS))
    grid = np.linspace(-4.0, 16.0, 60)
    kinds, which = np.unique(weights, axis=0, return_inverse=True)
    for at, pair in enumerate(kinds):
        logs = np.log(fused_rates(grid, *calibrations, (float(pair[0]), float(pair[1])))[0])
        thresholds = np.interp(-np.log(LEVELS), -logs, grid)
        accepted += np.sum(sums[which.ravel() == at][:, None] >= thresholds, axis=0)
    return accepted / draws / LEVELS


def combinations(faces: LabelledVectors, voices: LabelledVectors, splits: int) -> list[str]:
    """Equal error rates of other ways to combine, one reference."""
    people = (ScoredPeople.of(faces), ScoredPeople.of(voices))
    rates: dict[str, list[float]] = {}
    for method in ("tail", "logistic", "isotonic"):
        for test in held_out(people, splits if method == "tail" else min(splits, 2), method=method):
            llrs = [kind.llrs(one) for kind, one in zip(test.people, test.calibrations, strict=True)]
            for name, weights in _weights(test, method):
                parts = [
                    [distribution(weight * llr[kind.trials.mated == mated]) for mated in (True, False)]
                    for weight, llr, kind in zip(weights, llrs, test.people, strict=True)
                ]
                sums = [summed(parts[0][at], parts[1][at]) for at in (0, 1)]
                rates.setdefault(name, []).append(float(equal_error(*sums)[0]))
    rows = [[name, f"{len(found)}", f"{100 * np.mean(found):.2f} %"] for name, found in rates.items()]
    return _table(["ratios and their weights", "tests", "fused EER"], rows)


def _weights(test: HeldOut, method: str) -> list[tuple[str, tuple[float, float]]]:
    found = [(f"{method}, plain sum", (1.0, 1.0))]
    if method == "tail":
        found.append((f"{method}, weights fitted by logistic regression on chimeras", fitted_weights(test)))
        found += [(f"{method}, face times {factor:g}", (factor, 1.0)) for factor in (0.8, 1.25)]
    return found


def fitted_weights(test: HeldOut, draws: int = 50_000) -> tuple[float, float]:
    """Weights of a logistic regression on random chimeras of the people the calibrations were fitted on."""
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(5)
    columns = []
    for kind, calibration in zip(test.fitted_on, test.calibrations, strict=True):
        llrs = kind.llrs(calibration)
        columns.append(np.concatenate([rng.choice(llrs[kind.trials.mated == mated], draws) for mated in (True, False)]))
    model = LogisticRegression().fit(np.column_stack(columns), np.repeat([True, False], draws))
    face, voice = model.coef_[0] / model.coef_[0].mean()
    return float(face), float(voice)


def document(file: Path, lines: list[str]) -> None:
    """Put the figures between the markers of the document."""
    text = file.read_text(encoding="utf-8")
    start, end = (text.index(marker) for marker in MARKERS)
    file.write_text("\n".join([text[:start] + MARKERS[0], "", *lines, text[end:]]), encoding="utf-8")
    print("renewed", file)


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    return [*(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)), ""]


def _percent(interval: Interval) -> str:
    return f"{100 * interval.value:.2f} % ({100 * interval.low:.2f}–{100 * interval.high:.2f})"


if __name__ == "__main__":
    main()
