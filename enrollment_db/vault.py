"""Encryption at rest: AES-256-GCM for every record, under a chain of keys.

wrapping key (held by the key provider) -> data key (random, one per store) -> key of a person (random).
The data key seals nothing but keys and calibrations; everything about a person is sealed with the key of
that person, so deleting that one key makes all of it unreadable, wherever a copy may remain.

Each record is sealed together with what it belongs to (its *binding*: kind, ids, contract, format): a
record moved to another row, person or store does not open. AES-GCM is used as in NIST SP 800-38D with
random 96-bit nonces; keys for different purposes are derived with HKDF-SHA256 (RFC 5869).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import unicodedata
import uuid

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from enrollment_db.database import Database
from enrollment_db.errors import ErrorKind, StoreError, damaged
from enrollment_db.keys import KEY_BYTES, KeyProvider

RECORD_FORMAT = 1  # first byte of every sealed record, and part of its binding
NONCE_BYTES = 12
FIRST_PREVIOUS = bytes(32)  # stands for the digest of the entry before the first in the audit log


def fold_name(name: str) -> str:
    """The form of a name that lookup compares: case, composition of accents and spacing do not matter.

    Unicode canonical caseless matching (The Unicode Standard, section 3.13, D145), in form NFC.

    >>> fold_name("  José   MARTÍ ") == fold_name("jose\\u0301 marti\\u0301")
    True
    """
    caseless = unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())
    return " ".join(unicodedata.normalize("NFC", caseless).split())


class Cipher:
    """Seals and opens records with one key."""

    def __init__(self, key: bytes, store_id: str) -> None:
        self._aead = AESGCM(key)
        self._store_id = store_id

    def seal(self, plain: bytes, *binding: str) -> bytes:
        """Encrypt; ``binding`` starts with the kind and the id of the record."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return bytes([RECORD_FORMAT]) + nonce + self._aead.encrypt(nonce, plain, self._associated(binding))

    def open(self, sealed: bytes, *binding: str) -> bytes:
        """Decrypt what :meth:`seal` made under the same binding.

        Raises:
            StoreError: ``corrupt``, naming the record.
        """
        try:
            if sealed[:1] != bytes([RECORD_FORMAT]):
                raise ValueError("unknown record format")
            nonce = sealed[1 : 1 + NONCE_BYTES]
            return self._aead.decrypt(nonce, sealed[1 + NONCE_BYTES :], self._associated(binding))
        except (InvalidTag, ValueError, TypeError):
            raise damaged(binding[0], binding[1]) from None

    def _associated(self, binding: tuple[str, ...]) -> bytes:
        # Each part with its length in front, so that no two bindings look alike.
        parts = (str(RECORD_FORMAT), self._store_id, *binding)
        return "".join([f"{len(part)}:{part}" for part in parts]).encode("utf-8", "surrogatepass")


class Vault:
    """The keys of one open store."""

    def __init__(self, store_id: str, data_key: bytes) -> None:
        self.store_id = store_id
        self._data_key = data_key
        self._people = Cipher(self._derive("person keys"), store_id)
        self._name_key = self._derive("name index")
        self._audit_key = self._derive("audit head")
        self.store_cipher = Cipher(self._derive("store records"), store_id)

    def _derive(self, purpose: str) -> bytes:
        info = f"enrollment_db {purpose}".encode("ascii")
        return HKDF(SHA256(), KEY_BYTES, salt=self.store_id.encode("ascii"), info=info).derive(self._data_key)

    def derived_key(self, purpose: str) -> bytes:
        """A key of 32 bytes for something kept beside the store; other purposes give unrelated keys."""
        return self._derive(f"derived: {purpose}")

    def new_person_key(self, person_id: str) -> tuple[Cipher, bytes]:
        """A cipher with a fresh key for a person, and that key sealed."""
        key = secrets.token_bytes(KEY_BYTES)
        return Cipher(key, self.store_id), self._people.seal(key, "person key", person_id)

    def person_cipher(self, person_id: str, sealed_key: bytes) -> Cipher:
        """The cipher of a person, from the sealed key."""
        return Cipher(self._people.open(sealed_key, "person key", person_id), self.store_id)

    def name_index(self, name: str) -> bytes:
        """HMAC-SHA256 of the folded name: equal for names that count as the same, meaningless without the key."""
        return hmac.digest(self._name_key, fold_name(name).encode("utf-8"), hashlib.sha256)

    def audit_mac(self, number: int, digest: bytes) -> bytes:
        """HMAC-SHA256 over the newest entry of the audit log."""
        return hmac.digest(self._audit_key, number.to_bytes(8, "big") + digest, hashlib.sha256)

    def wrap(self, wrapping_key: bytes) -> tuple[bytes, bytes]:
        """The check value and the sealed data key under a wrapping key."""
        sealed = Cipher(wrapping_key, self.store_id).seal(self._data_key, "data key", self.store_id)
        return _check_value(wrapping_key, self.store_id), sealed


def _check_value(wrapping_key: bytes, store_id: str) -> bytes:
    return hmac.digest(wrapping_key, f"enrollment_db check {store_id}".encode("ascii"), hashlib.sha256)


def open_vault(database: Database, provider: KeyProvider) -> Vault:
    """The vault of a migrated database; a database without one gets it now.

    Raises:
        StoreError: ``key_unavailable`` for a wrong or missing key, ``corrupt`` for a damaged vault.
    """
    row = database.row("SELECT * FROM vault")
    if row is None:
        _create_vault(database, provider)
        row = database.row("SELECT * FROM vault")
        assert row is not None  # noqa: S101 - just written, and nothing deletes it
    if row["provider"] != provider.kind:
        raise StoreError(
            ErrorKind.KEY_UNAVAILABLE,
            f"The enrolment database {database.path} is protected by a {row['provider']} key, not by a "
            f"{provider.kind} key.",
            "Open it the way it was protected, then change the protection.",
        )
    store_id: str = row["store_id"]
    wrapping_key = provider.unlock(read_parameters(row["parameters"]))
    if not hmac.compare_digest(_check_value(wrapping_key, store_id), row["check_value"]):
        wrong = "The passphrase is wrong" if provider.kind == "passphrase" else f"The {provider.kind} key is another's"
        raise StoreError(
            ErrorKind.KEY_UNAVAILABLE,
            f"{wrong}: it does not open the enrolment database {database.path}.",
            "Try again with the key that the database was created with; without it nobody can read it.",
        )
    return Vault(store_id, Cipher(wrapping_key, store_id).open(row["data_key"], "data key", store_id))


def _create_vault(database: Database, provider: KeyProvider) -> None:
    store_id = str(uuid.uuid4())
    # Outside the transaction: a keyring may ask the user to unlock it, and others should not wait for that.
    wrapping_key, parameters = provider.create(store_id)
    vault = Vault(store_id, secrets.token_bytes(KEY_BYTES))
    check, sealed = vault.wrap(wrapping_key)
    with database.transaction():
        faster = database.value("SELECT count(*) FROM vault")
        if not faster:
            if database.value("SELECT count(*) FROM person"):
                raise StoreError(
                    ErrorKind.CORRUPT,
                    f"The enrolment database {database.path} has lost its keys.",
                    "Put a copy of the database back in its place.",
                )
            database.run(
                "INSERT INTO vault (id, store_id, provider, parameters, check_value, data_key) "
                "VALUES (1, ?, ?, ?, ?, ?)",
                store_id,
                provider.kind,
                json.dumps(parameters),
                check,
                sealed,
            )
            database.run(
                "INSERT INTO audit_head (id, number, mac) VALUES (1, 0, ?)", vault.audit_mac(0, FIRST_PREVIOUS)
            )
    if faster:
        provider.discard(parameters)


def read_parameters(text: str) -> dict[str, object]:
    """The remembered parameters of the key provider."""
    try:
        parameters = json.loads(text)
    except ValueError:
        parameters = None
    if not isinstance(parameters, dict):
        raise StoreError(
            ErrorKind.CORRUPT,
            "The key parameters in the enrolment database are damaged.",
            "Put a copy of the database back in its place.",
        )
    return parameters
