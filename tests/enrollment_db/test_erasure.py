"""Removal really removes: no byte of a removed person is left in any file of the folder."""

from __future__ import annotations

import sqlite3

import pytest

from enrollment_db import PassphraseKey
from enrollment_db.database import Database
from enrollment_db.migrate import known_migrations

CHUNK = 12

READ_AND_HOLD = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
database.execute("BEGIN")
database.execute("SELECT count(*) FROM person").fetchone()
print("reading", flush=True)
sys.stdin.readline()
database.close()
print("done", flush=True)
"""


def traces(folder, secrets):
    """The names of the files that hold a piece of any of the secrets."""
    pieces = {secret[i : i + CHUNK] for secret in secrets for i in range(0, max(1, len(secret) - CHUNK), CHUNK)}
    found = set()
    for file in folder.iterdir():
        content = file.read_bytes()
        if any(piece in content for piece in pieces):
            found.add(file.name)
    return found


def stored_bytes(path, person_id):
    """Every sealed byte of a person, as the files hold them, and the keyed index of the name."""
    database = sqlite3.connect(path)
    rows = database.execute("SELECT name, key, name_index FROM person WHERE id = ?", (person_id,)).fetchall()
    rows += database.execute("SELECT facts, thumbnail FROM sample WHERE person_id = ?", (person_id,)).fetchall()
    rows += database.execute("SELECT vector FROM template WHERE person_id = ?", (person_id,)).fetchall()
    database.close()
    return [bytes(value) for row in rows for value in row if value is not None]


def test_no_byte_of_a_removed_person_is_left_in_any_file(store, enrol, contract, vector):
    folder = store.location.parent
    for number in range(20):
        enrol(store, f"Neighbour number {number}")
    ada = enrol(store, "Augusta Ada King, Countess of Lovelace")
    before = stored_bytes(store.location, ada.person.id)
    renamed = store.rename_person(ada.person.id, "Ada Lovelace, born Byron")
    for number in range(5):
        sample = store.add_sample(ada.person.id, "face", "0" * 64, "camera", "camera", {}, bytes([number]) * 5000)
        store.add_template(ada.person.id, sample.id, "face", contract, vector(number))
    secrets = before + stored_bytes(store.location, ada.person.id)
    names = [ada.person.name.encode(), renamed.name.encode(), ada.sample.source.encode(), ada.sample.sha256.encode()]
    plain = [ada.sample.thumbnail, ada.template.vector, *names]

    backup = store._database.backup(1)
    assert traces(folder, secrets) >= {"people.db-wal", backup.name}, "the search itself does not work"
    assert traces(folder, plain) == set()
    assert store.remove_person(ada.person.id).erased
    assert traces(folder, secrets + plain) == set()
    assert (folder / "people.db-wal").stat().st_size < 64 * 1024
    assert not backup.exists()
    assert store._database.value("PRAGMA freelist_count") == 0
    assert store._database.value("SELECT pending FROM erasure") == 0
    store.close()
    assert {file.name for file in folder.iterdir()} == {"people.db"}
    assert traces(folder, secrets + plain) == set()


def test_no_byte_of_a_removed_sample_is_left_in_any_file(store, enrol):
    ada = enrol(store, "Ada")
    secrets = stored_bytes(store.location, ada.person.id)[3:]
    assert traces(store.location.parent, secrets)
    assert store.remove_sample(ada.sample.id).erased
    assert traces(store.location.parent, secrets) == set()


def test_a_removal_inside_a_transaction_erases_when_it_ends(store, enrol):
    ada, bob = enrol(store, "Ada"), enrol(store, "Bob")
    secrets = stored_bytes(store.location, ada.person.id) + stored_bytes(store.location, bob.person.id)
    with store.transaction():
        assert not store.remove_person(ada.person.id).erased
        assert not store.remove_person(bob.person.id).erased
    assert traces(store.location.parent, secrets) == set()


def test_a_reader_in_the_way_delays_erasure_but_does_not_prevent_it(store_factory, enrol, start):
    with store_factory.open(timeout=0.3) as store:
        folder = store.location.parent
        ada = enrol(store, "Ada")
        secrets = stored_bytes(store.location, ada.person.id)
        reader = start(READ_AND_HOLD, store.location)
        assert reader.stdout.readline() == "reading\n"
        assert not store.remove_person(ada.person.id).erased
        assert store.people() == []
        assert traces(folder, secrets)
        assert not store.erase_pending()
        reader.stdin.write("\n")
        reader.stdin.flush()
        assert reader.stdout.readline() == "done\n"
        assert store.erase_pending()
        assert traces(folder, secrets) == set()


def test_erasure_that_was_cut_short_is_made_up_for_at_the_next_opening(store_factory, enrol, start):
    with store_factory.open(timeout=0.1) as store:
        ada = enrol(store, "Ada")
        enrol(store, "Bob")
        secrets = stored_bytes(store.location, ada.person.id)
        store._database.backup(1)
        reader = start(READ_AND_HOLD, store.location)
        assert reader.stdout.readline() == "reading\n"
        assert not store.remove_person(ada.person.id).erased
    reader.kill()
    reader.wait()
    with store_factory.open() as store:
        assert traces(store.location.parent, secrets) == set()
        assert [person.name for person in store.people()] == ["Bob"]


def test_changing_the_key_erases_the_old_wrapping(store_factory):
    first = PassphraseKey("first", time_cost=1, memory_kib=64, parallelism=1)
    with store_factory.open(first, name="other.db") as store:
        store.add_person("Ada")
        database = sqlite3.connect(store.location)
        wrapped = [database.execute("SELECT data_key FROM vault").fetchone()[0]]
        database.close()
        assert traces(store.location.parent, wrapped)
        store.rekey(PassphraseKey("second", time_cost=1, memory_kib=64, parallelism=1))
        assert traces(store.location.parent, wrapped) == set()


@pytest.mark.parametrize("name", ["people.db", "odd name [1] %2f?.db"])
def test_only_copies_of_this_database_are_dropped(store_factory, enrol, name):
    with store_factory.open(name=name) as store, store_factory.open(name="another.db") as other:
        ada = enrol(store, "Ada")
        kept = other._database.backup(1)
        dropped = store._database.backup(len(known_migrations()))
        store.remove_person(ada.person.id)
        assert kept.exists()
        assert not dropped.exists()
        assert isinstance(store._database, Database)
