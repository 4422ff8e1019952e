"""Cached embeddings are encrypted, bound to their place, and never cross contracts."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from verify_app.reasons import Reason, ReasonCode, StateError
from verify_app.services.batch.cache import CachedEmbedding, EmbeddingCache, clear_cache, part_key

KEY = bytes(range(32))
VECTOR = np.linspace(-1, 1, 128, dtype=np.float32)


def test_an_embedding_comes_back_bit_for_bit(tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path / "c.sqlite", KEY, "contract", "options")
    cache.put([("aa", CachedEmbedding(VECTOR, 0.5))])
    found = cache.get("aa")
    assert isinstance(found, CachedEmbedding)
    assert found.vector.tobytes() == VECTOR.tobytes()
    assert found.quality == 0.5
    assert cache.get("bb") is None
    cache.close()


def test_a_refusal_comes_back_too_and_parts_have_keys_of_their_own(tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path / "c.sqlite", KEY, "contract", "options")
    refusal = Reason(ReasonCode.FACE_BLURRED, "caf\udce9.jpg is blurred.", "Use another.")
    cache.put([(part_key("aa", 1), CachedEmbedding(VECTOR, 0.5)), (part_key("aa", 2), refusal)])
    assert isinstance(cache.get("aa"), CachedEmbedding)
    assert cache.get(part_key("aa", 2)) == refusal
    assert cache.get(part_key("aa", 3)) is None
    cache.close()


@pytest.mark.parametrize(("contract", "options"), [("other", "options"), ("contract", "other")])
def test_another_contract_or_other_options_see_nothing(tmp_path: Path, contract: str, options: str) -> None:
    first = EmbeddingCache(tmp_path / "c.sqlite", KEY, "contract", "options")
    first.put([("aa", CachedEmbedding(VECTOR, 0.5))])
    second = EmbeddingCache(tmp_path / "c.sqlite", KEY, contract, options)
    assert second.get("aa") is None
    first.close()
    second.close()


def test_no_plain_embedding_or_digest_is_on_disk_and_another_key_opens_nothing(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    cache = EmbeddingCache(path, KEY, "contract", "options")
    cache.put([("aa" * 32, CachedEmbedding(VECTOR, 0.5))])
    content = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert VECTOR.tobytes()[:16] not in content
    assert b"aa" * 32 not in content
    cache.close()
    other = EmbeddingCache(path, os.urandom(32), "contract", "options")
    assert other.get("aa" * 32) is None
    other.close()


def test_a_record_moved_to_another_file_does_not_open(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    cache = EmbeddingCache(path, KEY, "contract", "options")
    cache.put([("aa", CachedEmbedding(VECTOR, 0.5)), ("bb", CachedEmbedding(-VECTOR, 0.5))])
    cache.close()
    raw = sqlite3.connect(path)
    places = [row[0] for row in raw.execute("SELECT place FROM embedding")]
    nonce, sealed = raw.execute("SELECT nonce, sealed FROM embedding WHERE place = ?", (places[0],)).fetchone()
    raw.execute("UPDATE embedding SET nonce = ?, sealed = ? WHERE place = ?", (nonce, sealed, places[1]))
    raw.commit()
    raw.close()
    cache = EmbeddingCache(path, KEY, "contract", "options")
    assert sorted(cache.get(name) is None for name in ("aa", "bb")) == [False, True]
    cache.close()


def test_a_damaged_cache_is_refused_with_advice_and_can_be_cleared(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    path.write_bytes(b"no database " * 100)
    with pytest.raises(StateError) as caught:
        EmbeddingCache(path, KEY, "contract", "options")
    assert caught.value.reason.code is ReasonCode.DATABASE_CORRUPT
    clear_cache(path)
    assert not path.exists()


def test_many_are_looked_up_at_once_in_the_order_asked(tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path / "c.sqlite", KEY, "contract", "options")
    keys = [f"{number:064x}" for number in range(1203)]
    cache.put((key, CachedEmbedding(VECTOR * number, 0.5)) for number, key in enumerate(keys) if number % 3)
    asked = [*reversed(keys), keys[1]]
    assert cache.holds(asked) == [int(key, 16) % 3 > 0 for key in asked]
    for key, found in zip(asked, cache.get_each(asked), strict=True):
        assert (found is None) == (int(key, 16) % 3 == 0)
        assert found is None or np.array_equal(found.vector, VECTOR * int(key, 16))  # type: ignore[union-attr]
    assert cache.get_each([]) == []
    cache.close()


def test_who_looks_something_up_does_not_wait_for_who_writes(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    cache = EmbeddingCache(path, KEY, "contract", "options")
    cache.put([("aa", CachedEmbedding(VECTOR, 0.5))])
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert cache.get("aa") is not None
    other.close()
    cache.close()
