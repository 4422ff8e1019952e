"""Keys for files kept beside the store."""

from __future__ import annotations

from pathlib import Path

from enrollment_db import FileKey, PassphraseKey, open_store


def test_a_derived_key_is_stable_and_differs_by_purpose_and_store(tmp_path: Path) -> None:
    with open_store(tmp_path / "a.db", FileKey(tmp_path / "key")) as store:
        key, other = store.derived_key("cache"), store.derived_key("something else")
    with open_store(tmp_path / "b.db", FileKey(tmp_path / "key-b")) as store:
        elsewhere = store.derived_key("cache")
    assert len(key) == 32
    assert len({key, other, elsewhere}) == 3
    with open_store(tmp_path / "a.db", FileKey(tmp_path / "key")) as store:
        assert store.derived_key("cache") == key
        store.rekey(PassphraseKey("correct horse battery staple"))
        assert store.derived_key("cache") == key
