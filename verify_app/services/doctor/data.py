"""What belongs to this user and this installation: settings, folders, key, database, models, calibrations."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from verify_app.domain import Modality
from verify_app.reasons import Reason, StateError
from verify_app.services.application import Application
from verify_app.services.doctor.findings import Finding, Health
from verify_app.services.rates import rate_text
from verify_app.services.storage import KEY_FILE_NAME, keyring_usable, store_errors

LEAST_FREE = 50_000_000
"""Bytes that should be free on the disk of the database."""


def settings(app: Application, problem: Reason | None) -> Iterator[Finding]:
    """The settings file."""
    file = app.settings.file
    if problem is not None:
        yield Finding("settings", Health.FAILS, problem.message, problem.advice)
    elif file.exists():
        yield Finding("settings", Health.WORKS, f"read from {file}")
    else:
        yield Finding("settings", Health.WORKS, f"defaults; there is no file {file}")


def folder(app: Application) -> Iterator[Finding]:
    """Whether the data folder can be written, and has room."""
    wanted = Path(app.settings.database_location).parent
    existing = wanted
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    free = shutil.disk_usage(existing).free
    if not os.access(existing, os.W_OK):
        yield Finding("data folder", Health.FAILS, f"{existing} cannot be written", "Choose another with --home DIR.")
    elif free < LEAST_FREE:
        yield Finding("data folder", Health.FAILS, f"{existing} has {free // 1_000_000} MB left", "Free some space.")
    else:
        yield Finding("data folder", Health.WORKS, f"{wanted}, {free // 1_000_000_000} GB free")


def key(app: Application) -> Iterator[Finding]:
    """What holds the key of the enrolment database, or would."""
    from enrollment_db import protection

    with store_errors():
        kept_by = protection(app.settings.database_location)
    new = kept_by is None
    if kept_by is None:
        kept_by = "passphrase" if app.settings.passphrase else "keyring" if keyring_usable() else "file"
    will = "will be" if new else "is"
    if kept_by == "keyring":
        yield Finding("key", Health.WORKS, f"{will} kept in the keyring of the desktop")
    elif kept_by == "passphrase":
        yield Finding("key", Health.WORKS, f"{will} derived from a passphrase")
    else:
        yield Finding(
            "key",
            Health.LIMITED,
            f"{will} kept in the file {app.settings.config / KEY_FILE_NAME}; with the database it reads all",
            "Use a desktop keyring, or set VERIFY_APP_PASSPHRASE before the first enrolment.",
        )


def store(app: Application) -> Iterator[Finding]:
    """Whether the enrolment database opens and every record in it is whole. None is made here."""
    location = Path(app.settings.database_location)
    if not location.exists():
        yield Finding("enrolment database", Health.WORKS, "nobody is enrolled yet; it is made at the first enrolment")
        return
    with store_errors():
        app.store.check()
        people = len(app.store.people())
    yield Finding("enrolment database", Health.WORKS, f"{people} enrolled, every record whole, in {location}")


def models(app: Application) -> Iterator[Finding]:
    """Digest, session and a run of every model."""
    from verify_app.services.models import check_model

    for entry in app.manifest.models:
        check = check_model(app, entry)
        part = f"model {entry.name}"
        if check.reason is not None:
            yield Finding(part, Health.FAILS, check.reason.message, check.reason.advice)
        else:
            detail = f"version {entry.version}, digest right, {check.milliseconds:.1f} ms a run on {check.provider}"
            yield Finding(part, Health.WORKS, detail)
    for role in ("face-detector", "face-encoder", "voice-encoder"):
        app.manifest.default(role)


def calibrations(app: Application) -> Iterator[Finding]:
    """Which calibration gives the scores of each modality a meaning, and until when."""
    from verify_app.services.calibrations import active

    own = Path(app.settings.database_location).exists()
    for modality in Modality:
        part = f"calibration of the {modality}"
        try:
            found = active(app, modality, 1, own=own)
        except StateError as error:
            yield Finding(part, Health.FAILS, error.reason.message, error.reason.advice)
            continue
        until = f", until {found.expires:%Y-%m-%d}" if found.expires else ""
        detail = f"“{found.name}” ({found.origin}){until}"
        target = app.settings.target_fmr
        if found.supports(target):
            yield Finding(part, Health.WORKS, detail)
        else:
            yield Finding(
                part,
                Health.LIMITED,
                f"{detail}; its data show rates down to {rate_text(found.supported_fmr)}, not {rate_text(target)}",
                "Calibrate with more people, or set a higher target_fmr.",
            )
