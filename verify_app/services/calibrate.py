"""Calibrate in one step: fit to a set of trials, keep what its data can show, and find what is kept by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from verify_app.domain import Modality
from verify_app.reasons import Reason, ReasonCode, StateError, UsageError
from verify_app.services import calibration_library as library
from verify_app.services.application import Application
from verify_app.services.calibration_library import Listed
from verify_app.services.trial_sets import ANY_CONTRACT, TrialSet

if TYPE_CHECKING:
    from verify_app.calibration.model import Calibration
    from verify_app.evaluation.cost import Costs

VALID_DAYS = 365
COMBINED = 3
"""Besides single references, calibrations are fitted to so many combined ones, where samples allow."""
FEWEST_PEOPLE = 10
SHORTEST_ID = 6


@dataclass(frozen=True, slots=True)
class CalibrateOptions:
    """How to calibrate.

    Attributes:
        target_fmr: false-match rate of the operating point, above 0 and below 1.
        method: ``auto``, ``logistic``, ``isotonic`` or ``tail``.
        name: what the calibration is called; made from modality and day when None.
        valid_days: days until it expires; None for never.
        anyway: save it even when its target cannot be claimed; it is marked so.
        use: decide by it from now on, where it belongs to an encoder.
        costs: put the operating point where errors cost least, in place of ``target_fmr``.
    """

    target_fmr: float = 1e-3
    method: str = "auto"
    name: str | None = None
    valid_days: int | None = VALID_DAYS
    anyway: bool = False
    use: bool = True
    costs: Costs | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Calibrated:
    """What a calibration run came to.

    Attributes:
        calibration: the calibration of the trials as they are.
        more: further calibrations that were saved, for combined references.
        saved: ids under which they are kept, in the same order; empty when nothing was saved.
        active: whether decisions are taken by them from now on.
        refusal: why nothing was saved; None when it was.
    """

    calibration: Calibration
    more: tuple[Calibration, ...]
    saved: tuple[str, ...]
    active: bool
    refusal: Reason | None


def calibrate(app: Application, trial_set: TrialSet, options: CalibrateOptions | None = None) -> Calibrated:
    """Fit a calibration to a set of trials, and save it unless its target is more than the data can show.

    Nothing is saved from a run that fails.

    Raises:
        UnusableInput: TRIALS_ONE_CLASS, TRIALS_TOO_FEW, TABLE_INVALID.
        UsageError: USAGE for an unknown method, a target outside 0..1, or costs at which no score decides.
    """
    options = options or CalibrateOptions()
    if options.costs is not None:
        options = replace(options, target_fmr=_target_of(trial_set, options), costs=None)
    today = datetime.now(UTC).date()
    name = options.name or f"{trial_set.modality} {today.isoformat()}"
    expires = None if options.valid_days is None else today + timedelta(days=options.valid_days)

    def fit(trials: TrialSet, called: str) -> Calibration:
        return library.fit_trial_set(
            trials,
            target_fmr=options.target_fmr,
            method=options.method,
            name=called,
            expires=expires,
            anyway=options.anyway,
        )

    main = fit(trial_set, name)
    if not main.supports(options.target_fmr) and not options.anyway:
        return Calibrated(main, (), (), False, unsupported(main))
    more = []
    several = combined(trial_set)
    if several is not None:
        candidate = fit(several, f"{name}, {COMBINED} references")
        if candidate.supports(options.target_fmr):
            more.append(candidate)
    use = options.use and main.contract_id != ANY_CONTRACT
    saved = tuple(library.save(app, one, activate=use) for one in (main, *more))
    return Calibrated(main, tuple(more), saved, use, None)


def _target_of(trial_set: TrialSet, options: CalibrateOptions) -> float:
    """The false-match rate predicted at the threshold where errors cost least (Bayes)."""
    assert options.costs is not None  # noqa: S101  asked for by the caller
    fitted = library.fit_trial_set(trial_set, method=options.method)
    threshold = fitted.threshold_at_llr(options.costs.llr_threshold)
    if threshold in (float("inf"), float(fitted.curve.score[0])):
        what = "nobody" if threshold == float("inf") else "everybody"
        raise UsageError(
            ReasonCode.USAGE,
            f"At these costs it is cheapest to accept {what}, whatever the score: a log-likelihood ratio of "
            f"{options.costs.llr_threshold:.2f} lies outside what these data show.",
            "Give costs and a prior that are closer to each other, or a --target-fmr.",
        )
    return fitted.predicted_fmr(threshold).value


def combined(trial_set: TrialSet, references: int = COMBINED) -> TrialSet | None:
    """The same samples with combined references; None without embeddings, or where too few people have enough."""
    from verify_app.matching.fitting import cross_fit
    from verify_app.matching.pairs import score_pairs
    from verify_app.matching.similarity import similarity

    if trial_set.vectors is None or not trial_set.every_pair or trial_set.references != 1:
        return None
    used = trial_set.used
    vectors, subjects = trial_set.vectors[used], np.array([sample.subject for sample in trial_set.samples])[used]
    _, counts = np.unique(subjects, return_counts=True)
    if np.count_nonzero(counts > references) < FEWEST_PEOPLE:
        return None
    several = replace(trial_set, reference=None, probe=None, references=references, vectors=None, every_pair=False)
    if trial_set.parameters is None:
        chosen = similarity(trial_set.similarity)
        return replace(several, trials=score_pairs(vectors, subjects, references=references, similarity=chosen).trials)
    pairs = score_pairs(vectors, subjects, references=references)
    found = cross_fit(trial_set.similarity, vectors, subjects, pairs)
    return replace(several, trials=pairs.trials).fitted_by(found, used)


def from_vector_file(path: str | Path, similarity_name: str = "cosine") -> TrialSet:
    """All pairs of labelled embeddings from anywhere (see :mod:`verify_app.services.vector_table`).

    Raises:
        UnusableInput: the file or its content cannot be used.
    """
    from verify_app.matching.pairs import score_pairs
    from verify_app.services.trial_sets import LabelledSample
    from verify_app.services.vector_table import read_vectors

    found = read_vectors(path)
    pairs = score_pairs(found.vectors, found.subjects)
    names = found.files if found.files is not None else [f"row {row + 1}" for row in range(len(found.vectors))]
    samples = tuple(
        LabelledSample(str(name), str(subject)) for name, subject in zip(names, found.subjects, strict=True)
    )
    made = TrialSet(
        pairs.trials,
        samples,
        pairs.reference_rows,
        pairs.probe_rows,
        found.modality,
        found.contract,
        "cosine",
        "file",
        f"vectors {Path(path).name}",
        vectors=found.vectors,
        every_pair=True,
    )
    return made.compared_by(similarity_name)


def without_samples(trial_set: TrialSet, exclude: Mapping[str, str]) -> TrialSet:
    """The set without the trials of some samples, each with the reason, which is recorded.

    Raises:
        UsageError: USAGE when there is no such sample.
        UnusableInput: when too little would be left.
    """
    for name, reason in exclude.items():
        found = [
            row
            for row, sample in enumerate(trial_set.samples)
            if sample.name == name or sample.name.endswith("/" + name)
        ]
        if not found:
            raise UsageError(
                ReasonCode.USAGE,
                f"There is no usable sample {name} to exclude.",
                "Write its path as it is inside the folder.",
            )
        for row in found:
            trial_set = trial_set.without(trial_set.rows_of(row), f"{name}: {reason}")
    return trial_set


def worst_pairs(trial_set: TrialSet, count: int) -> list[dict[str, Any]]:
    """The mated trials with the lowest and the non-mated ones with the highest scores: label errors hide here."""
    if trial_set.reference is None or trial_set.probe is None or not trial_set.samples:
        return []
    trials, found = trial_set.trials, []
    for mated, sign in ((True, 1.0), (False, -1.0)):
        rows = np.flatnonzero(trials.mated == mated)
        for row in rows[np.argsort(sign * trials.scores[rows], kind="stable")[:count]]:
            pair = [trial_set.samples[place[row]] for place in (trial_set.reference, trial_set.probe)]
            found.append(
                {
                    "mated": mated,
                    "score": float(trials.scores[row]),
                    "samples": [sample.name for sample in pair],
                    "subjects": [sample.subject for sample in pair],
                }
            )
    return found


def unsupported(calibration: Calibration) -> Reason:
    """Why the target of ``calibration`` may not be claimed, and what would help."""
    figures = calibration.figures
    return Reason(
        ReasonCode.TARGET_UNSUPPORTED,
        f"These data cannot show a false-match rate of {calibration.target_fmr:g} at 95 %: their "
        f"{calibration.non_mated} non-mated comparisons are worth {figures['effective_non_mated']:.0f} independent "
        f"ones, and {figures['needed_independent']} are needed.",
        f"Add about {figures['needed_non_mated']} more non-mated comparisons, which means more people, or ask for "
        f"no less than {calibration.supported_fmr:.2g}.",
    )


def public_id(one: Listed) -> str:
    """The id of a calibration in lists: that of the store, or ``general-…`` for a shipped one."""
    return one.id or f"general-{one.calibration.modality}-{one.calibration.references}"


def find(app: Application, name_or_id: str) -> Listed:
    """The calibration of that name or id (the beginning of an id will do); of equal names the newest.

    Raises:
        UsageError: USAGE when there is none.
    """
    kept = library.listed(app)
    found = [one for one in kept if name_or_id in (public_id(one), one.calibration.name)]
    if not found and len(name_or_id) >= SHORTEST_ID:
        found = [one for one in kept if public_id(one).startswith(name_or_id)]
    if found:
        return found[0]
    raise UsageError(
        ReasonCode.USAGE, f"There is no calibration “{name_or_id}”.", "“verify-app calibrate list” shows all."
    )


def use(app: Application, name_or_id: str) -> Listed:
    """Decide by a calibration from now on; a shipped one puts the user's own of its kind out of use.

    Raises:
        UsageError: USAGE when there is none.
        StateError: CALIBRATION_INVALID when it cannot decide now (another encoder, expired).
    """
    kept = find(app, name_or_id)
    if kept.problem:
        raise StateError(
            ReasonCode.CALIBRATION_INVALID,
            f"The calibration “{kept.calibration.name}” cannot be used: {kept.problem}",
            "Calibrate again with the encoder in use.",
        )
    if kept.id:
        library.use(app, kept.id)
        return replace(kept, active=True)
    return replace(kept, id=library.save(app, kept.calibration, activate=True), active=True)


def back_to_general(app: Application, modality: Modality | None = None) -> list[Listed]:
    """Decide by the calibrations shipped with the encoders.

    Raises:
        StateError: NO_CALIBRATION when none is shipped.
    """
    shipped = [one for one in library.listed(app) if not one.id and modality in (None, one.calibration.modality)]
    used = [use(app, public_id(one)) for one in shipped if not one.problem]
    if not used:
        raise StateError(
            ReasonCode.NO_CALIBRATION, "The encoders in use come without a calibration.", "Fit one of your own."
        )
    return used


def remove(app: Application, name_or_id: str) -> Listed:
    """Remove one of the user's own calibrations.

    Raises:
        UsageError: USAGE when there is none, or it is shipped.
    """
    kept = find(app, name_or_id)
    if not kept.id:
        raise UsageError(ReasonCode.USAGE, "A shipped calibration cannot be removed.", "Another one can be used.")
    library.remove(app, kept.id)
    return kept
