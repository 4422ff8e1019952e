"""The door to the enrolment database: which key opens it, and how its errors reach the user."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from verify_app.reasons import ReasonCode, StateError
from verify_app.services.settings import Settings

if TYPE_CHECKING:
    from enrollment_db import Store
    from enrollment_db.keys import KeyProvider

KEYRING_SERVICE = "verify-app"
KEY_FILE_NAME = "enrolment.key"


@contextmanager
def store_errors(location: str = "") -> Iterator[None]:
    """Turn an error of the store into a :class:`StateError` with its reason code."""
    from enrollment_db import StoreError

    try:
        yield
    except StoreError as error:
        code, advice = _REASONS.get(error.kind, (ReasonCode.DATABASE_CORRUPT, ""))
        message = str(error)
        if location and location not in message:
            message = f"{message.rstrip('.')} ({location})."
        raise StateError(code, message, advice) from error


def open_application_store(
    settings: Settings, ask_passphrase: Callable[[], str] | None, warn: Callable[[str], None]
) -> Store:
    """Open the store of this user, making it at first use.

    Raises:
        StateError: DATABASE_LOCKED, DATABASE_CORRUPT, DATABASE_TOO_NEW, KEY_UNAVAILABLE, STORAGE_FULL.
    """
    from enrollment_db import open_store

    location = settings.database_location
    with store_errors(location):
        return open_store(location, choose_key(settings, ask_passphrase, warn))


def choose_key(
    settings: Settings, ask_passphrase: Callable[[], str] | None, warn: Callable[[str], None]
) -> KeyProvider:
    """A passphrase when one is set or the database needs one, else the keyring, else a key file."""
    from enrollment_db.keys import FileKey, KeyringKey, PassphraseKey

    if settings.passphrase:
        return PassphraseKey(settings.passphrase)
    key_file = settings.config / KEY_FILE_NAME
    if key_file.exists():
        return FileKey(key_file)
    if keyring_usable():
        return KeyringKey(KEYRING_SERVICE)
    warn(
        f"There is no keyring and no passphrase: the key of the enrolment database is kept in {key_file}, "
        "readable by this account alone. Set VERIFY_APP_PASSPHRASE for better protection."
    )
    return FileKey(key_file)


def keyring_usable() -> bool:
    """Whether this desktop has a keyring that keeps secrets."""
    import keyring
    from keyring.backends import fail, null

    return not isinstance(keyring.get_keyring(), fail.Keyring | null.Keyring)


_REASONS: dict[str, tuple[ReasonCode, str]] = {
    "locked": (ReasonCode.DATABASE_LOCKED, "Close the other program that uses it, then try again."),
    "corrupt": (ReasonCode.DATABASE_CORRUPT, "Restore it from a backup, or move it away to start anew."),
    "too_new": (ReasonCode.DATABASE_TOO_NEW, "Update the application."),
    "key_unavailable": (ReasonCode.KEY_UNAVAILABLE, "Unlock the keyring, or set VERIFY_APP_PASSPHRASE."),
    "no_such_person": (ReasonCode.NO_SUCH_PERSON, "“verify-app people list” shows who is enrolled."),
    "person_exists": (ReasonCode.PERSON_EXISTS, "Choose another name."),
    "full": (ReasonCode.STORAGE_FULL, "Free some space on the disk."),
    "contract_mismatch": (ReasonCode.CONTRACT_MISMATCH, "Enrol again with the present encoder."),
}
