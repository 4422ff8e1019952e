"""Calibrate: fit to a source, keep what holds, and manage what is kept. The dialog and the shell share this."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verify_app.domain import Modality
from verify_app.reasons import Reason, ReasonCode, StateError, UsageError
from verify_app.services.application import Application
from verify_app.services.calibration_sources import ANY_CONTRACT, Source
from verify_app.services.storage import store_errors

if TYPE_CHECKING:
    from enrollment_db import StoredCalibration
    from verify_app.calibration.model import Calibration

VALID_DAYS = 365
SHORTEST_ID = 6


@dataclass(frozen=True, slots=True)
class CalibrateOptions:
    """How to calibrate.

    Attributes:
        target_fmr: false-match rate of the operating point, above 0 and below 1.
        method: ``auto``, ``logistic``, ``isotonic`` or ``tail``.
        name: what the calibration is called; made from source and day when None.
        valid_days: days until it expires; None for never.
        anyway: save it even when its target cannot be claimed; it is marked so.
        use: decide by it from now on, where it belongs to an encoder.
    """

    target_fmr: float = 1e-3
    method: str = "auto"
    name: str | None = None
    valid_days: int | None = VALID_DAYS
    anyway: bool = False
    use: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Calibrated:
    """What a calibration run came to.

    Attributes:
        calibration: the calibration for one reference (or for the scores as they were given).
        more: further calibrations, for combined references.
        saved: ids under which they are kept, in the same order; empty when nothing was saved.
        active: whether decisions are taken by them from now on.
        refusal: why nothing was saved; None when it was.
    """

    calibration: Calibration
    more: tuple[Calibration, ...]
    saved: tuple[str, ...]
    active: bool
    refusal: Reason | None


def calibrate(app: Application, source: Source, options: CalibrateOptions | None = None) -> Calibrated:
    """Fit a calibration to a source, and save it unless its target is more than the data can show.

    Nothing is saved from a run that fails.

    Raises:
        UnusableInput: TRIALS_ONE_CLASS, TRIALS_TOO_FEW, TABLE_INVALID.
        UsageError: USAGE for an unknown method or a target outside 0..1.
    """
    options = options or CalibrateOptions()
    fitted = fit_source(source, options)
    main = fitted[0]
    if not main.supports(options.target_fmr) and not options.anyway:
        return Calibrated(main, tuple(fitted[1:]), (), False, unsupported(main))
    kept = [main, *(more for more in fitted[1:] if more.supports(options.target_fmr))]
    use = options.use and main.contract_id != ANY_CONTRACT
    return Calibrated(main, tuple(kept[1:]), tuple(save(app, one, use=use).id for one in kept), use, None)


def fit_source(source: Source, options: CalibrateOptions) -> list[Calibration]:
    """Fit without saving: the calibration of the source's own trials first, then those of combined references."""
    from verify_app.calibration.fit import fit

    today = datetime.now(UTC).date()
    name = options.name or f"{source.modality} {today.isoformat()}"
    expires = None if options.valid_days is None else today + timedelta(days=options.valid_days)
    return [
        fit(
            trials,
            method=options.method,
            target_fmr=options.target_fmr,
            name=name if references == 1 else f"{name}, {references} references",
            modality=source.modality,
            contract_id=source.contract_id,
            similarity=source.similarity,
            references=references,
            device_class=source.device_class,
            created=today,
            expires=expires,
            anyway=options.anyway,
            history=source.history,
        )
        for references, trials in {1: source.trials, **source.more}.items()
    ]


def unsupported(calibration: Calibration) -> Reason:
    """Why the target of ``calibration`` may not be claimed, and what would help."""
    figures = calibration.figures
    needed, target = figures["needed_non_mated"], calibration.target_fmr
    return Reason(
        ReasonCode.TARGET_UNSUPPORTED,
        f"These data cannot show a false-match rate of {target:g} at 95 %: their {calibration.non_mated} non-mated "
        f"comparisons are worth {figures['effective_non_mated']:.0f} independent ones, and "
        f"{figures['needed_independent']} are needed.",
        f"Add about {needed} more non-mated comparisons, which means more people, or ask for no less than "
        f"{calibration.supported_fmr:.2g}.",
    )


def save(app: Application, calibration: Calibration, *, use: bool) -> StoredCalibration:
    """Keep a calibration in the store; with ``use`` decisions are taken by it from now on."""
    with store_errors():
        return app.store.save_calibration(
            calibration.to_json(),
            calibration.name,
            calibration.modality,
            calibration.contract_id,
            use,
            calibration.references,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """A calibration that can be chosen.

    Attributes:
        id: its id in the store; ``"general-…"`` for one shipped with an encoder.
        calibration: the calibration.
        active: whether decisions are taken by it.
        problem: why it cannot be used now; None when it can.
    """

    id: str
    calibration: Calibration
    active: bool
    problem: str | None


def kept_calibrations(app: Application) -> list[Kept]:
    """The user's own calibrations, newest first, then those shipped with the encoders."""
    from verify_app.calibration.model import Calibration

    contracts = _contracts(app)
    own: list[Kept] = []
    with store_errors():
        stored = app.store.calibrations()
    for one in stored:
        calibration = Calibration.from_json(one.json)
        own.append(Kept(one.id, calibration, one.active, problem(calibration, contracts)))
    used = {(one.calibration.modality, one.calibration.references) for one in own if one.active and not one.problem}
    shipped = []
    for calibration in _general(app):
        active = (calibration.modality, calibration.references) not in used
        why = problem(calibration, contracts)
        identity = f"general-{calibration.modality}-{calibration.references}"
        shipped.append(Kept(identity, calibration, active and why is None, why))
    return own + shipped


def problem(calibration: Calibration, contracts: dict[str, str], today: date | None = None) -> str | None:
    """Why a calibration cannot decide today; None when it can."""
    if calibration.contract_id == ANY_CONTRACT or calibration.modality not in contracts:
        return "belongs to no encoder of this installation"
    try:
        calibration.check_valid(
            contracts[calibration.modality], calibration.similarity, today or datetime.now(UTC).date()
        )
    except StateError as error:
        return error.reason.message
    return None


def find(app: Application, name_or_id: str) -> Kept:
    """The calibration of that name or id (the beginning of an id will do); of equal names the newest.

    Raises:
        UsageError: USAGE when there is none.
    """
    kept = kept_calibrations(app)
    found = [one for one in kept if name_or_id in (one.id, one.calibration.name)]
    if not found and len(name_or_id) >= SHORTEST_ID:
        found = [one for one in kept if one.id.startswith(name_or_id)]
    if found:
        return found[0]
    raise UsageError(
        ReasonCode.USAGE, f"There is no calibration “{name_or_id}”.", "“verify-app calibrate list” shows all."
    )


def use(app: Application, name_or_id: str) -> Kept:
    """Decide by a calibration from now on; a shipped one puts the user's own of its kind out of use.

    Raises:
        UsageError: USAGE when there is none.
        StateError: CALIBRATION_INVALID when it cannot decide now (another encoder, expired).
    """
    kept = find(app, name_or_id)
    if kept.problem is not None:
        raise StateError(
            ReasonCode.CALIBRATION_INVALID,
            f"The calibration “{kept.calibration.name}” cannot be used: {kept.problem}",
            "Calibrate again with the encoder in use.",
        )
    if kept.calibration.origin == "general":
        stored = save(app, kept.calibration, use=True)
        return Kept(stored.id, kept.calibration, True, None)
    with store_errors():
        app.store.use_calibration(kept.id)
    return Kept(kept.id, kept.calibration, True, None)


def export(app: Application, name_or_id: str, file: str | Path) -> Path:
    """Write a calibration to a JSON file. It holds no biometric data: rates and counts only.

    Raises:
        UsageError: USAGE when there is none, or the file cannot be written.
    """
    target = Path(file)
    text = find(app, name_or_id).calibration.to_json() + "\n"
    try:
        beside = target.with_name(f".{target.name}.part")
        beside.write_text(text, encoding="utf-8")
        beside.replace(target)
    except OSError as error:
        raise UsageError(
            ReasonCode.USAGE, f"{target} cannot be written: {error.strerror}.", "Choose another file."
        ) from None
    return target


def import_file(app: Application, file: str | Path, *, use: bool = False) -> Kept:
    """Keep a calibration from a JSON file that :func:`export` wrote.

    Raises:
        UsageError: USAGE when the file cannot be read.
        StateError: CALIBRATION_INVALID when it is no calibration, or is to be used but does not fit.
    """
    from verify_app.calibration.model import Calibration

    try:
        text = Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(ReasonCode.USAGE, f"{file} cannot be read: {error.strerror}.", "Check the path.") from None
    except UnicodeDecodeError:
        text = ""
    calibration = Calibration.from_json(text)
    why = problem(calibration, _contracts(app))
    if use and why is not None:
        raise StateError(
            ReasonCode.CALIBRATION_INVALID,
            f"The calibration “{calibration.name}” cannot be used here: {why}",
            "Import it without --use, or calibrate with the encoder in use.",
        )
    stored = save(app, calibration, use=use)
    return Kept(stored.id, calibration, use, why)


def remove(app: Application, name_or_id: str) -> Kept:
    """Remove one of the user's own calibrations.

    Raises:
        UsageError: USAGE when there is none, or it is shipped.
    """
    kept = find(app, name_or_id)
    if kept.id.startswith("general-"):
        raise UsageError(ReasonCode.USAGE, "A shipped calibration cannot be removed.", "Another one can be used.")
    with store_errors():
        app.store.remove_calibration(kept.id)
    return kept


def overview(calibration: Calibration) -> dict[str, Any]:
    """A calibration without its table, ready for JSON."""
    record = calibration.as_dict()
    del record["curve"]
    return record


def _contracts(app: Application) -> dict[str, str]:
    return {modality.value: app.contract(modality).id for modality in _modalities(app)}


def _modalities(app: Application) -> Sequence[Modality]:
    roles = {entry.role for entry in app.manifest.models}
    return [modality for modality in Modality if f"{modality.value}-encoder" in roles]


def _general(app: Application) -> list[Calibration]:
    from verify_app.calibration.shipped import general

    return [
        calibration
        for modality in _modalities(app)
        for calibration in general(app.manifest.default(f"{modality.value}-encoder").path.parent)
    ]
