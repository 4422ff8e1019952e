"""The file itself: damage, strangers, newer and older schemas, a full disk, who may read it."""

from __future__ import annotations

import os
import random
import sqlite3

import pytest

from enrollment_db import FileKey, StoreError, open_store
from enrollment_db.database import Database
from enrollment_db.migrate import Migration, known_migrations, migrate
from enrollment_db.store import Store
from enrollment_db.vault import open_vault


def refused(call, kind):
    with pytest.raises(StoreError) as caught:
        call()
    assert caught.value.kind == kind
    assert caught.value.advice
    return caught.value


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path):
    path, key = tmp_path / "people.db", FileKey(tmp_path / "key")
    for content in (b"Dear diary", b"\x00" * 4096, b"SQLite format 3", b"SQLite format 3\x00" + b"\xff" * 5000):
        path.write_bytes(content)
        error = refused(lambda: open_store(path, key), "corrupt")
        assert str(path) in error.message
        assert path.read_bytes() == content
    assert not (tmp_path / "key").exists()


def test_a_database_of_another_program_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "people.db"
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE bookmarks (url TEXT)")
    database.close()
    content = path.read_bytes()
    refused(lambda: open_store(path, FileKey(tmp_path / "key")), "corrupt")
    assert path.read_bytes() == content


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_database_is_refused_and_left_alone(store_factory, enrol, share):
    with store_factory.open() as store:
        for number in range(30):
            enrol(store, f"Person {number}")
        path = store.location
    content = path.read_bytes()[: int(path.stat().st_size * share)]
    path.write_bytes(content)

    def read():
        with store_factory.open() as store:
            store.check()

    refused(read, "corrupt")
    assert path.read_bytes() == content


def test_a_database_with_wild_bytes_never_gives_a_wrong_answer(store_factory, enrol):
    with store_factory.open() as store:
        enrolled = {name: enrol(store, name) for name in ("Ada", "Bob", "Carl", "Dora")}
        path = store.location
    content = path.read_bytes()
    kinds = []
    for seed in range(150):
        chance = random.Random(seed)
        damaged = bytearray(content)
        for _ in range(20):
            damaged[chance.randrange(100, len(damaged))] = chance.randrange(256)
        path.write_bytes(damaged)
        try:
            with store_factory.open() as store:
                for person in store.people():
                    expected = enrolled[person.name]
                    assert person == expected.person
                    for template in store.templates(expected.template.contract_id, person.id):
                        assert template.vector == expected.template.vector
                store.check()
        except StoreError as error:
            kinds.append(error.kind)
    assert set(kinds) <= {"corrupt", "key_unavailable"}
    assert len(kinds) > 130


def test_a_newer_schema_is_refused_and_left_alone(store_factory):
    with store_factory.open() as store:
        path = store.location
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 999")
    database.close()
    content = path.read_bytes()
    error = refused(store_factory.open, "too_new")
    assert "schema 999" in error.message
    assert path.read_bytes() == content


@pytest.fixture
def first_schema(store_factory, enrol, tmp_path):
    """A database as the first schema left it, with somebody in it."""
    path, key = tmp_path / "data" / "people.db", FileKey(tmp_path / "key")
    database = Database(path, 5.0)
    migrate(database, known_migrations()[:1])
    with Store(database, open_vault(database, key), key) as store:
        return path, enrol(store, "Ada")


def test_an_older_schema_is_brought_up_to_date_after_a_copy(store_factory, first_schema):
    path, ada = first_schema
    with store_factory.open() as store:
        assert store._database.value("PRAGMA user_version") == known_migrations()[-1].number
        assert store.people() == [ada.person]
        assert store.templates(ada.template.contract_id) == [ada.template]
        assert store.save_calibration("{}", "own", "face", "c", True).active
        store.check()
    backup = path.with_name("people.db.v1.backup")
    assert backup.stat().st_mode & 0o777 == 0o600
    old = sqlite3.connect(backup)
    assert old.execute("PRAGMA user_version").fetchone() == (1,)
    assert old.execute("SELECT id FROM person").fetchall() == [(ada.person.id,)]
    old.close()
    assert {file.name for file in path.parent.iterdir()} == {path.name, backup.name}
    with store_factory.open() as store:
        assert store.people() == [ada.person]


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE one (a); CREATE TABLE one (b);",
        "CREATE TABLE one (a); DELETE FROM person;\nDELETE FROM sample; nonsense;",
        "UPDATE sample SET person_id = 'nobody'; CREATE TABLE one (a);",
    ],
    ids=["twice", "nonsense", "broken reference"],
)
def test_a_migration_that_fails_changes_nothing(store_factory, first_schema, sql):
    path, ada = first_schema
    database = Database(path, 5.0)
    broken = Migration(2, "0002_broken.sql", sql)
    with pytest.raises(StoreError) as caught:
        migrate(database, [*known_migrations()[:1], broken])
    assert caught.value.kind == "corrupt"
    assert database.value("SELECT count(*) FROM sqlite_master WHERE name = 'one'") == 0
    assert database.value("PRAGMA user_version") == 1
    assert database.value("PRAGMA foreign_keys") == 1
    database.close()
    with store_factory.open() as store:
        assert store.people() == [ada.person]
        store.check()


def test_migrations_are_numbered_without_gaps():
    assert [migration.number for migration in known_migrations()] == list(range(1, len(known_migrations()) + 1))


def test_a_full_disk_undoes_the_call_and_keeps_the_rest(store_factory):
    with store_factory.open() as store:
        ada = store.add_person("Ada")
        pages = store._database.value("PRAGMA page_count")
        store._database.run(f"PRAGMA max_page_count = {pages + 20}")

        def fill():
            for _ in range(100):
                store.add_sample(ada.id, "face", "0" * 64, "camera", "camera", {}, bytes(4000))

        error = refused(fill, "full")
        assert "disk is full" in error.message
        kept = store.samples(ada.id)
        assert 0 < len(kept) < 100
        store.check()

        def fill_in_one():
            with store.transaction():
                store.rename_person(ada.id, "Bea")
                with pytest.raises(StoreError):
                    fill()
                store.add_sample(ada.id, "face", "0" * 64, "camera", "camera", {}, bytes(40000))

        with pytest.raises(StoreError):
            fill_in_one()
        assert store.people() == [ada]
        assert store.samples(ada.id) == kept
        assert store.remove_person(ada.id).erased
        ada = store.add_person("Ada")
        fill_some = [store.add_sample(ada.id, "face", "0" * 64, "camera", "camera", {}, bytes(4000)) for _ in range(3)]
        assert store.samples(ada.id) == fill_some
        store.check()


@pytest.mark.skipif(os.name != "posix", reason="file modes are a POSIX matter")
def test_files_are_closed_to_other_users(store_factory, enrol, tmp_path):
    with store_factory.open() as store:
        enrol(store, "Ada")
        files = list(store.location.parent.iterdir())
        assert len(files) == 3
        assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
        assert store.location.parent.stat().st_mode & 0o777 == 0o700


def test_a_place_that_cannot_hold_a_file_is_refused(tmp_path):
    key = FileKey(tmp_path / "key")
    (tmp_path / "file").write_text("in the way")
    for path in (tmp_path, tmp_path / "file" / "people.db"):
        error = refused(lambda path=path: open_store(path, key), "unavailable")
        assert not key._path.exists()
        assert str(path) in error.message


def test_an_empty_file_is_as_good_as_none(tmp_path):
    (tmp_path / "people.db").touch()
    with open_store(tmp_path / "people.db", FileKey(tmp_path / "key")) as store:
        store.add_person("Ada")


def test_lost_keys_are_not_replaced(store_factory):
    with store_factory.open() as store:
        store.add_person("Ada")
        store._database.run("DELETE FROM vault")
    refused(store_factory.open, "corrupt")


def test_a_crash_between_schema_and_keys_does_no_harm(store_factory, tmp_path):
    database = Database(tmp_path / "data" / "people.db", 5.0)
    migrate(database)
    database.close()
    with store_factory.open() as store:
        store.add_person("Ada")
        assert store.verify_audit() == 1
