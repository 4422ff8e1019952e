"""The door to the enrolment database: which key opens it, and how its errors reach the user."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from verify_app.reasons import ReasonCode, StateError, UsageError
from verify_app.services.settings import Settings

if TYPE_CHECKING:
    from enrollment_db import KeyProvider, Store

KEYRING_SERVICE = "verify-app"
KEY_FILE_NAME = "enrolment.key"


@contextmanager
def store_errors() -> Iterator[None]:
    """Turn an error of the store into one of the application, with its reason code."""
    from enrollment_db import StoreError

    try:
        yield
    except StoreError as error:
        if error.kind == "invalid":
            raise UsageError(ReasonCode.USAGE, error.message, error.advice) from error
        code, advice = _REASONS.get(error.kind, (ReasonCode.DATABASE_CORRUPT, ""))
        raise StateError(code, error.message, advice or error.advice) from error


def open_application_store(
    settings: Settings, ask_passphrase: Callable[[], str] | None, warn: Callable[[str], None]
) -> Store:
    """Open the store of this user, making it at first use.

    Raises:
        StateError: DATABASE_LOCKED, DATABASE_CORRUPT, DATABASE_TOO_NEW, KEY_UNAVAILABLE, STORAGE_FULL.
    """
    from enrollment_db import open_store

    location = settings.database_location
    with store_errors():
        return open_store(location, choose_key(settings, ask_passphrase, warn))


def choose_key(
    settings: Settings, ask_passphrase: Callable[[], str] | None, warn: Callable[[str], None]
) -> KeyProvider:
    """The key that the database was made with; for a new one a passphrase if given, else the keyring, else a file.

    Raises:
        StateError: KEY_UNAVAILABLE when a passphrase is needed and nobody can be asked.
    """
    from enrollment_db import FileKey, KeyringKey, PassphraseKey, protection

    key_file = settings.config / KEY_FILE_NAME
    kept_by = protection(settings.database_location)
    if kept_by is None:
        kept_by = "passphrase" if settings.passphrase else "keyring" if keyring_usable() else "file"
        if kept_by == "file" and not key_file.exists():
            warn(
                f"There is no keyring and no passphrase, so the key of the enrolment database is kept in {key_file}, "
                "readable by this account alone; set VERIFY_APP_PASSPHRASE before the first use for better protection."
            )
    if kept_by == "passphrase":
        return PassphraseKey(settings.passphrase or _asked(ask_passphrase))
    return KeyringKey(KEYRING_SERVICE) if kept_by == "keyring" else FileKey(key_file)


def _asked(ask_passphrase: Callable[[], str] | None) -> str:
    passphrase = ask_passphrase() if ask_passphrase is not None else ""
    if not passphrase:
        raise StateError(
            ReasonCode.KEY_UNAVAILABLE,
            "The enrolment database is protected by a passphrase.",
            "Set VERIFY_APP_PASSPHRASE, or start from a terminal to be asked.",
        )
    return passphrase


def keyring_usable() -> bool:
    """Whether this desktop has a keyring that keeps secrets; one that stores clear text does not."""
    import keyring
    from keyring.backends import fail, null

    backend = keyring.get_keyring()
    plain = type(backend).__name__ == "PlaintextKeyring"
    return not plain and not isinstance(backend, fail.Keyring | null.Keyring)


_REASONS: dict[str, tuple[ReasonCode, str]] = {
    "locked": (ReasonCode.DATABASE_LOCKED, ""),
    "corrupt": (ReasonCode.DATABASE_CORRUPT, ""),
    "unavailable": (ReasonCode.DATABASE_CORRUPT, ""),
    "too_new": (ReasonCode.DATABASE_TOO_NEW, ""),
    "key_unavailable": (ReasonCode.KEY_UNAVAILABLE, ""),
    "no_such_person": (ReasonCode.NO_SUCH_PERSON, "“verify-app people list” shows who is enrolled."),
    "no_such_record": (ReasonCode.NO_SUCH_PERSON, ""),
    "person_exists": (ReasonCode.PERSON_EXISTS, "Choose another name."),
    "full": (ReasonCode.STORAGE_FULL, ""),
    "contract_mismatch": (ReasonCode.CONTRACT_MISMATCH, ""),
}
"""Kind of a store error -> reason code, and advice where ours says more than that of the store."""
