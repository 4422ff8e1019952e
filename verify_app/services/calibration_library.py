"""The calibrations a user keeps: fit, save, list, use, remove, export, import."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from verify_app.domain import Modality
from verify_app.reasons import ReasonCode, StateError, UnusableInput, UsageError
from verify_app.services.storage import store_errors

if TYPE_CHECKING:
    from verify_app.calibration.model import Calibration
    from verify_app.services.application import Application
    from verify_app.services.trial_sets import TrialSet


@dataclass(frozen=True, slots=True, eq=False)
class Listed:
    """One calibration of the library.

    Attributes:
        id: of a stored one; empty for one shipped with an encoder.
        calibration: the calibration.
        active: whether decisions use it.
        problem: why decisions cannot use it (another encoder, expired), empty when they can.
        saved: when it was stored, None for a shipped one.
    """

    id: str
    calibration: Calibration
    active: bool
    problem: str
    saved: datetime | None


def fit_trial_set(
    trial_set: TrialSet,
    *,
    target_fmr: float = 1e-3,
    method: str = "auto",
    name: str = "calibration",
    expires: date | None = None,
    anyway: bool = False,
) -> Calibration:
    """Fit a calibration to a set of trials; raises as :func:`verify_app.calibration.fit.fit` does."""
    from verify_app.calibration.fit import fit

    history = (f"Trials from {trial_set.source}", *trial_set.history)
    if trial_set.parameters is not None:
        history += (
            f"Similarity {trial_set.similarity}, fitted to {trial_set.parameters['subjects']} people at a time; every "
            "comparison is of people it was not fitted to",
        )
    fitted = fit(
        trial_set.trials,
        method=method,
        target_fmr=target_fmr,
        name=name,
        modality=trial_set.modality,
        contract_id=trial_set.contract_id,
        similarity=trial_set.similarity,
        references=trial_set.references,
        device_class=trial_set.device_class,
        expires=expires,
        anyway=anyway,
        history=history,
    )
    return replace(fitted, parameters=trial_set.parameters)


def save(app: Application, calibration: Calibration, *, activate: bool = True) -> str:
    """Keep a calibration and, unless told otherwise, let decisions use it; returns its id.

    Raises:
        StateError: TARGET_UNSUPPORTED when its target cannot be shown by its data and it was not fitted ``anyway``.
    """
    if not calibration.supports(calibration.target_fmr) and not calibration.saved_anyway:
        needed = calibration.figures.get("needed_non_mated", 0)
        raise StateError(
            ReasonCode.TARGET_UNSUPPORTED,
            f"A false-match rate of {calibration.target_fmr:g} cannot be shown by these data at 95 %.",
            f"Add {needed} comparisons of different people, choose a less strict target, or save it anyway.",
        )
    with store_errors():
        stored = app.store.save_calibration(
            calibration.to_json(),
            calibration.name,
            calibration.modality,
            calibration.contract_id,
            activate,
            calibration.references,
        )
    return stored.id


def listed(app: Application) -> list[Listed]:
    """The user's own calibrations, the newest first, then those shipped with the encoders in use."""
    from verify_app.calibration.model import Calibration

    with store_errors():
        stored = app.store.calibrations()
    found = []
    for one in sorted(stored, key=lambda each: each.created, reverse=True):
        calibration = Calibration.from_json(one.json)
        found.append(Listed(one.id, calibration, one.active, _problem(app, calibration), one.created))
    taken = {(one.calibration.modality, one.calibration.references) for one in found if one.active and not one.problem}
    for calibration in _shipped(app):
        used = (calibration.modality, calibration.references) not in taken
        found.append(Listed("", calibration, used, _problem(app, calibration), None))
    return found


def use(app: Application, calibration_id: str) -> None:
    """Let decisions use a stored calibration from now on."""
    with store_errors():
        app.store.use_calibration(calibration_id)


def remove(app: Application, calibration_id: str) -> None:
    """Forget a stored calibration; decisions fall back to the one shipped with the encoder."""
    with store_errors():
        app.store.remove_calibration(calibration_id)


def forget_samples(app: Application, samples: Iterable[str]) -> tuple[str, ...]:
    """Remove the calibrations whose similarity holds embeddings of some stored samples; returns their names.

    Erasing a person has to erase these too. Decisions fall back to the calibration shipped with the encoder.
    """
    gone = set(samples)
    with store_errors():
        held = [one for one in app.store.calibrations() if gone & _samples_in(one.json)]
        for one in held:
            app.store.remove_calibration(one.id)
    return tuple(one.name for one in held)


def _samples_in(text: str) -> set[str]:
    """Ids of the stored samples whose embeddings a stored calibration holds."""
    parameters = json.loads(text).get("parameters")
    return set(parameters["samples"]) if parameters else set()


def export(calibration: Calibration, file: str | Path, *, with_embeddings: bool = False) -> Path:
    """Write a calibration to a JSON file, readable by this account alone.

    It holds rates and counts, and no biometric data unless its similarity needs some.

    Args:
        calibration: the calibration.
        file: where it goes.
        with_embeddings: write it although its similarity holds embeddings of people.

    Raises:
        UsageError: the file cannot be written, or would hold embeddings that were not asked for.
    """
    target = Path(file)
    if calibration.embeddings and not with_embeddings:
        raise UsageError(
            ReasonCode.USAGE,
            f"The similarity of “{calibration.name}”, {calibration.similarity}, holds {calibration.embeddings} "
            "embeddings of people, which the file would show to whoever reads it.",
            "Write it with --with-embeddings if you mean to, and keep the file as safe as the enrolment database.",
        )
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(calibration.to_json() + "\n")
    except OSError as error:
        raise UsageError(
            ReasonCode.USAGE, f"{target} cannot be written: {error.strerror}.", "Choose another file."
        ) from None
    return target


def import_file(app: Application, file: str | Path, *, activate: bool = False) -> Calibration:
    """Read a calibration from a JSON file and keep it.

    Raises:
        UnusableInput: the file cannot be read.
        StateError: CALIBRATION_INVALID when it holds no calibration, or one whose similarity is damaged.
    """
    from verify_app.calibration.model import Calibration
    from verify_app.matching.records import dimension_of, similarity_of

    source = Path(file)
    try:
        text = source.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UnusableInput(ReasonCode.FILE_NOT_FOUND, f"There is no file {source}.", "Check the path.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UnusableInput(ReasonCode.FILE_UNREADABLE, f"{source} cannot be read: {error}.") from None
    calibration = Calibration.from_json(text)
    if calibration.parameters is not None:
        similarity_of(calibration, dimension_of(calibration))
    with store_errors():
        app.store.save_calibration(
            calibration.to_json(),
            calibration.name,
            calibration.modality,
            calibration.contract_id,
            activate,
            calibration.references,
        )
    return calibration


def _shipped(app: Application) -> Sequence[Calibration]:
    from verify_app.calibration.shipped import general

    found: list[Calibration] = []
    for modality in Modality:
        found += general(app.manifest.default(f"{modality.value}-encoder").path.parent)
    return found


def _problem(app: Application, calibration: Calibration) -> str:
    try:
        modality = Modality(calibration.modality)
    except ValueError:
        return "It holds for scores from elsewhere."
    try:
        calibration.check_valid(app.contract(modality).id, calibration.similarity, date.today())
    except StateError as error:
        return error.reason.message
    return ""
