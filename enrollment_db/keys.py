"""Who holds the key of a store: the keyring of the operating system, a passphrase, or a file.

A provider gives a 32-byte *wrapping key*. The store never keeps that key, only the random data key
sealed with it, so changing the provider rewraps one record and leaves the rest alone.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import stat
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from enrollment_db.errors import ErrorKind, StoreError

KEY_BYTES = 32


class KeyProvider(Protocol):
    """Finds or makes the wrapping key of a store."""

    @property
    def kind(self) -> str:
        """Short name that the store remembers, such as ``"passphrase"``."""

    def create(self, store_id: str) -> tuple[bytes, dict[str, Any]]:
        """The wrapping key for a new store or a new wrapping, and what to remember (not secret) to unlock it.

        Raises:
            StoreError: ``key_unavailable``.
        """

    def unlock(self, parameters: Mapping[str, Any]) -> bytes:
        """The wrapping key again, from what :meth:`create` said to remember.

        Raises:
            StoreError: ``key_unavailable``.
        """

    def discard(self, parameters: Mapping[str, Any]) -> None:
        """Forget a wrapping key that is used no more, where the provider keeps it for that store alone."""


def _unavailable(message: str, advice: str) -> StoreError:
    return StoreError(ErrorKind.KEY_UNAVAILABLE, message, advice)


def _decode(text: str, where: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise _unavailable(f"{where} does not hold a key of this application.", "Put the original key back.")
    return key


class PassphraseKey:
    """A key derived from a passphrase with Argon2id (RFC 9106); salt and cost are kept in the store.

    Args:
        passphrase: any text that is not empty; compared in Unicode normal form NFC, so the way a
            keyboard composes accents does not matter.
        time_cost, memory_kib, parallelism: cost for a new wrapping; the defaults are the second
            recommended option of RFC 9106, section 4.
    """

    kind = "passphrase"
    _limits = (("time_cost", 1, 64), ("memory_kib", 8, 4 << 20), ("parallelism", 1, 64))

    def __init__(self, passphrase: str, *, time_cost: int = 3, memory_kib: int = 65536, parallelism: int = 4) -> None:
        if not passphrase:
            raise _unavailable("The passphrase is empty.", "Enter a passphrase of several words.")
        self._secret = unicodedata.normalize("NFC", passphrase).encode("utf-8", "surrogatepass")
        self._cost = {"time_cost": time_cost, "memory_kib": memory_kib, "parallelism": parallelism}

    def create(self, store_id: str) -> tuple[bytes, dict[str, Any]]:
        """Derive a key with a fresh salt; ``store_id`` is not needed."""
        parameters = {"salt": secrets.token_hex(16), **self._cost}
        return self.unlock(parameters), parameters

    def unlock(self, parameters: Mapping[str, Any]) -> bytes:
        """Derive the key; whether the passphrase is right shows only when the key is used."""
        from argon2.exceptions import HashingError
        from argon2.low_level import Type, hash_secret_raw

        try:
            salt = bytes.fromhex(parameters["salt"])
            cost = {name: int(parameters[name]) for name, _, _ in self._limits}
        except (KeyError, TypeError, ValueError):
            raise self._damaged() from None
        if len(salt) < 8 or not all(low <= cost[name] <= high for name, low, high in self._limits):
            raise self._damaged()
        try:
            return hash_secret_raw(
                self._secret,
                salt,
                time_cost=cost["time_cost"],
                memory_cost=cost["memory_kib"],
                parallelism=cost["parallelism"],
                hash_len=KEY_BYTES,
                type=Type.ID,
            )
        except (HashingError, MemoryError) as error:
            raise _unavailable(
                f"The key cannot be derived from the passphrase: {error}.", "Close other programs to free memory."
            ) from error

    @staticmethod
    def _damaged() -> StoreError:
        return StoreError(
            ErrorKind.CORRUPT,
            "The passphrase parameters in the enrolment database are damaged.",
            "Put a copy of the database back in its place.",
        )

    def discard(self, parameters: Mapping[str, Any]) -> None:
        """Nothing to forget: the key was never kept."""


class KeyringKey:
    """A random key kept in the keyring of the operating system, under ``service`` and an account per wrapping.

    Refuses keyrings that keep nothing or keep it in clear.
    """

    kind = "keyring"

    def __init__(self, service: str) -> None:
        self._service = service

    def create(self, store_id: str) -> tuple[bytes, dict[str, Any]]:
        """Put a new random key into the keyring, beside an earlier one, so that neither is lost half-way."""
        self._check_backend()
        import keyring

        key = secrets.token_bytes(KEY_BYTES)
        account = f"{store_id}:{secrets.token_hex(4)}"
        try:
            keyring.set_password(self._service, account, base64.b64encode(key).decode("ascii"))
            kept = keyring.get_password(self._service, account)
        except Exception as error:
            raise self._failed(error) from error
        if kept is None or _decode(kept, "The keyring") != key:
            raise _unavailable("The keyring of the operating system did not keep the key.", self._advice)
        return key, {"account": account}

    def unlock(self, parameters: Mapping[str, Any]) -> bytes:
        """Read the key from the keyring."""
        self._check_backend()
        import keyring

        try:
            kept = keyring.get_password(self._service, str(parameters.get("account")))
        except Exception as error:
            raise self._failed(error) from error
        if kept is None:
            raise _unavailable(
                "The keyring of the operating system holds no key for this enrolment database.",
                "Sign in as the user who created the database; without its key nobody can read it.",
            )
        return _decode(kept, "The keyring entry of this enrolment database")

    def discard(self, parameters: Mapping[str, Any]) -> None:
        """Delete the entry; one that is already gone is fine."""
        import keyring
        from keyring.errors import KeyringError

        try:
            keyring.delete_password(self._service, str(parameters.get("account")))
        except KeyringError:
            return  # a key that wraps nothing any more does no harm

    _advice = "Unlock or install a keyring (GNOME Keyring, KWallet, macOS Keychain), or set a passphrase instead."

    def _failed(self, error: Exception) -> StoreError:
        # Keyring plug-ins raise errors of their own; their text may help, their type does not.
        return _unavailable(f"The keyring of the operating system gave no answer: {error}.", self._advice)

    def _check_backend(self) -> None:
        try:
            import keyring

            backend = keyring.get_keyring()
            backends = list(getattr(backend, "backends", [backend]))  # a chainer tries several
        except Exception as error:
            raise self._failed(error) from error
        useless = ("keyring.backends.fail", "keyring.backends.null")
        if not any(type(one).__module__ not in useless for one in backends):
            raise _unavailable("This computer offers no keyring to keep the key in.", self._advice)
        if any(type(one).__name__ == "PlaintextKeyring" for one in backends):
            raise _unavailable("The configured keyring keeps its entries in clear text.", self._advice)


class FileKey:
    """A random key in a file that only its owner may read (mode 0600).

    The last resort: whoever copies both files reads the database. A missing file is created for a new
    store only.
    """

    kind = "file"

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)

    def create(self, store_id: str) -> tuple[bytes, dict[str, Any]]:
        """Use the key in the file, or write a new one there."""
        if not self._path.exists():
            self._write(secrets.token_bytes(KEY_BYTES))
        return self.unlock({}), {}

    def _write(self, key: bytes) -> None:
        partial = self._path.with_name(f"{self._path.name}.{secrets.token_hex(4)}.partial")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(base64.b64encode(key) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(partial, self._path)  # unlike a rename this never replaces the key of another process
            except FileExistsError:
                pass
            finally:
                partial.unlink()
            if os.name == "posix":  # the name of the file must survive a power cut too
                folder = os.open(self._path.parent, os.O_RDONLY)
                os.fsync(folder)
                os.close(folder)
        except OSError as error:
            raise _unavailable(
                f"The key file {self._path} cannot be written: {error.strerror}.",
                "Choose a path in a folder that you may write to.",
            ) from error

    def unlock(self, parameters: Mapping[str, Any]) -> bytes:
        """Read the key from the file, which must be closed to other users."""
        try:
            mode = self._path.stat().st_mode
            text = self._path.read_text(encoding="ascii", errors="replace")
        except OSError as error:
            raise _unavailable(
                f"The key file {self._path} cannot be read: {error.strerror}.",
                "Put the original key file back; without it nobody can read the database.",
            ) from error
        if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise _unavailable(
                f"The key file {self._path} is open to other users.", f"Close it: chmod 600 {self._path}"
            )
        return _decode(text, f"The key file {self._path}")

    def discard(self, parameters: Mapping[str, Any]) -> None:
        """Leave the file: other stores may use it."""
