"""The calibrations a user keeps: fit, save, list, use, remove, export, import."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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

    return fit(
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
        history=(f"Trials from {trial_set.source}", *trial_set.history),
    )


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


def export(calibration: Calibration, file: str | Path) -> Path:
    """Write a calibration to a JSON file. It holds no biometric data.

    Raises:
        UsageError: the file cannot be written.
    """
    target = Path(file)
    try:
        target.write_text(calibration.to_json() + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(
            ReasonCode.USAGE, f"{target} cannot be written: {error.strerror}.", "Choose another file."
        ) from None
    return target


def import_file(app: Application, file: str | Path, *, activate: bool = False) -> Calibration:
    """Read a calibration from a JSON file and keep it.

    Raises:
        UnusableInput: the file cannot be read.
        StateError: CALIBRATION_INVALID when it holds no calibration.
    """
    from verify_app.calibration.model import Calibration

    source = Path(file)
    try:
        text = source.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UnusableInput(ReasonCode.FILE_NOT_FOUND, f"There is no file {source}.", "Check the path.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UnusableInput(ReasonCode.FILE_UNREADABLE, f"{source} cannot be read: {error}.") from None
    calibration = Calibration.from_json(text)
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
