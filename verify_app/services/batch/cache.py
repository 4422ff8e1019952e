"""Embeddings already made, by (content digest, contract, analysis options), so that nothing is computed twice.

Embeddings are biometric data: each is encrypted with AES-256-GCM under a key derived from the store's,
and bound to its place, so that a record moved to another file does not decrypt.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from verify_app.domain import FloatArray
from verify_app.reasons import Reason, ReasonCode, StateError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS embedding (
    place TEXT PRIMARY KEY, quality REAL NOT NULL, nonce BLOB NOT NULL, sealed BLOB NOT NULL
) WITHOUT ROWID
"""


@dataclass(frozen=True, slots=True, eq=False)
class CachedEmbedding:
    """A unit-norm embedding, float32 (dimension,), and the quality (0..1) of the sample it was made of."""

    vector: FloatArray
    quality: float


Made = CachedEmbedding | Reason
"""What was made of one face or recording: its embedding, or the reason why it was refused."""

REFUSED = -1.0
"""Stands in place of a quality where a record holds a reason."""
NOTE = -2.0
"""Stands there where it holds the places of a file's parts."""
_ASKED_AT_ONCE = 500


def part_key(sha256: str, part: int) -> str:
    """The key of one of several parts of a file; the first, often the only one, has that of the file."""
    return sha256 if part == 1 else f"{sha256}#{part}"


def _places_key(sha256: str) -> str:
    return f"{sha256}@"


class EmbeddingCache:
    """The cache file. Safe against several processes; a damaged file is refused, not repaired.

    Args:
        path: the SQLite file, made when absent.
        key: 32 bytes.
        contract_id: only embeddings under this contract are seen.
        analysis: digest of the options that shaped them.
    """

    def __init__(self, path: Path, key: bytes, contract_id: str, analysis: str) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._path = path
        self._cipher = AESGCM(key)
        self._scope = f"{contract_id}|{analysis}"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Two connections, so that who looks something up does not wait until others have written. Workers look
            # things up in turn, under the lock of whoever shares the cache.
            self._connection, self._writer = (
                sqlite3.connect(path, timeout=10.0, isolation_level=None, check_same_thread=False) for _ in range(2)
            )
            self._writer.execute("PRAGMA journal_mode = WAL")
            self._writer.execute("PRAGMA synchronous = NORMAL")
            self._writer.execute("PRAGMA secure_delete = ON")
            self._writer.execute(_SCHEMA)
        except sqlite3.DatabaseError as error:
            raise self._error(error) from None

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
        self._writer.close()

    def get(self, key: str) -> Made | None:
        """What was made before under this key: a content digest, or a :func:`part_key`."""
        return self.get_each([key])[0]

    def get_each(self, keys: Sequence[str]) -> list[Made | None]:
        """:meth:`get` for each of many keys."""
        return [None if found is None else _made(*found) for found in self._opened(keys)]

    def beginning(self, sha256: str) -> tuple[Made | None, str | None]:
        """What was made of the first part of a file, and where its parts are, as :func:`put` was given that."""
        first, places = self._opened([sha256, _places_key(sha256)])
        return None if first is None else _made(*first), None if places is None else places[1].decode()

    def holds(self, keys: Sequence[str]) -> list[bool]:
        """For each of these keys, whether something was made under it."""
        places = [self._place(key) for key in keys]
        found = {row[0] for row in self._rows("place", places)}
        return [place in found for place in places]

    def _opened(self, keys: Sequence[str]) -> list[tuple[float, bytes] | None]:
        places = [self._place(key) for key in keys]
        rows = {row[0]: row for row in self._rows("place, quality, nonce, sealed", places)}
        return [self._decrypted(rows.get(place)) for place in places]

    def _rows(self, columns: str, places: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        try:
            for start in range(0, len(places), _ASKED_AT_ONCE):
                part = places[start : start + _ASKED_AT_ONCE]
                marks = ", ".join("?" * len(part))
                query = f"SELECT {columns} FROM embedding WHERE place IN ({marks})"  # noqa: S608 - constants and marks
                yield from self._connection.execute(query, part)
        except sqlite3.DatabaseError as error:
            raise self._error(error) from None

    def _decrypted(self, row: tuple[Any, ...] | None) -> tuple[float, bytes] | None:
        from cryptography.exceptions import InvalidTag

        if row is None:
            return None
        place, quality, nonce, sealed = row
        try:
            return float(quality), self._cipher.decrypt(nonce, sealed, place.encode())
        except InvalidTag:
            return None  # made under another key, or damaged: computing it again is always right

    def put(self, made: Iterable[tuple[str, Made]], places: Iterable[tuple[str, str]] = ()) -> None:
        """Keep what was made, by its key, and where the parts of files are, by their digests, in one transaction."""
        rows = []
        for key, one in made:
            if isinstance(one, Reason):
                rows.append(self._sealed(key, REFUSED, json.dumps(one.as_dict()).encode()))
            else:
                rows.append(self._sealed(key, one.quality, np.ascontiguousarray(one.vector, dtype="<f4").tobytes()))
        rows += [self._sealed(_places_key(sha256), NOTE, text.encode()) for sha256, text in places]
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            self._writer.executemany("INSERT OR REPLACE INTO embedding VALUES (?, ?, ?, ?)", rows)
            self._writer.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            raise self._error(error) from None

    def _sealed(self, key: str, quality: float, plain: bytes) -> tuple[str, float, bytes, bytes]:
        place, nonce = self._place(key), os.urandom(12)
        return place, quality, nonce, self._cipher.encrypt(nonce, plain, place.encode())

    def _place(self, key: str) -> str:
        return hashlib.sha256(f"{key}|{self._scope}".encode()).hexdigest()

    def _error(self, error: sqlite3.DatabaseError) -> StateError:
        if "full" in str(error):
            return StateError(
                ReasonCode.STORAGE_FULL,
                f"The disk that holds {self._path} is full.",
                "Free some space and repeat the command: it goes on where it stopped.",
            )
        if "locked" in str(error):
            return StateError(
                ReasonCode.DATABASE_LOCKED, f"{self._path} is locked by another process.", "Wait until it has ended."
            )
        if isinstance(error, sqlite3.OperationalError):
            return StateError(
                ReasonCode.STORAGE_FULL,
                f"The embedding cache {self._path} cannot be written or read ({error}).",
                "Check the disk and who may write there, then repeat the command: it goes on where it stopped.",
            )
        return StateError(
            ReasonCode.DATABASE_CORRUPT,
            f"The embedding cache {self._path} cannot be used ({error}).",
            "Remove that file: it holds nothing that cannot be computed again.",
        )


def _made(quality: float, plain: bytes) -> Made:
    if quality == REFUSED:
        refusal = json.loads(plain)
        return Reason(ReasonCode(refusal["code"]), refusal["message"], refusal["advice"])
    return CachedEmbedding(np.frombuffer(plain, dtype="<f4").astype(np.float32), quality)


def clear_cache(path: Path) -> None:
    """Erase every cached embedding, and the files that held them."""
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
