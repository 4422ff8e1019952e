"""Somebody who can write to the file, but has no key, cannot change what the store says."""

from __future__ import annotations

import sqlite3

import pytest

from enrollment_db import StoreError


def tamper(store, *statements):
    database = sqlite3.connect(store.location)
    for sql, *parameters in statements:
        database.execute(sql, parameters)
    database.commit()
    database.close()


def assert_corrupt(call, record_id):
    with pytest.raises(StoreError) as caught:
        call()
    assert caught.value.kind == "corrupt"
    assert record_id in caught.value.message


def test_a_template_moved_to_another_person_does_not_open(store, enrol):
    ada, bob = enrol(store, "Ada"), enrol(store, "Bob")
    tamper(
        store,
        (
            "UPDATE template SET person_id = ?, sample_id = ? WHERE id = ?",
            bob.person.id,
            bob.sample.id,
            ada.template.id,
        ),
    )
    assert_corrupt(lambda: store.templates(ada.template.contract_id), ada.template.id)
    assert_corrupt(store.check, ada.template.id)
    assert store.templates(ada.template.contract_id, ada.person.id) == []


def test_vectors_of_two_templates_cannot_be_swapped(store, enrol, contract, vector):
    ada = enrol(store, "Ada")
    other = store.add_template(ada.person.id, ada.sample.id, "face", contract, vector(5))
    tamper(
        store,
        (
            "UPDATE template SET vector = (SELECT vector FROM template WHERE id = ?) WHERE id = ?",
            other.id,
            ada.template.id,
        ),
    )
    assert_corrupt(lambda: store.templates(other.contract_id), ada.template.id)


def test_a_template_cannot_be_given_to_another_contract(store, enrol, contract, vector):
    ada = enrol(store, "Ada")
    other = store.add_template(ada.person.id, ada.sample.id, "face", contract | {"preprocessing": "2"}, vector(5))
    tamper(store, ("UPDATE template SET contract_id = ? WHERE id = ?", other.contract_id, ada.template.id))
    assert_corrupt(lambda: store.templates(other.contract_id), ada.template.id)


def test_a_person_cannot_be_given_the_key_of_another(store, enrol):
    ada, bob = enrol(store, "Ada"), enrol(store, "Bob")
    tamper(
        store,
        ("UPDATE person SET key = (SELECT key FROM person WHERE id = ?) WHERE id = ?", ada.person.id, bob.person.id),
    )
    assert_corrupt(lambda: store.person(bob.person.id), bob.person.id)
    assert store.person("Ada") == ada.person


def test_looking_up_one_name_cannot_be_made_to_find_another_person(store, enrol):
    ada, bob = enrol(store, "Ada"), enrol(store, "Bob")
    index = "(SELECT name_index FROM person WHERE id = ?)"
    database = sqlite3.connect(store.location)
    (of_ada,) = database.execute(f"SELECT {index}", (ada.person.id,)).fetchone()
    database.close()
    tamper(
        store,
        ("UPDATE person SET name_index = x'00' WHERE id = ?", ada.person.id),
        ("UPDATE person SET name_index = ? WHERE id = ?", of_ada, bob.person.id),
    )
    assert_corrupt(lambda: store.person("Ada"), bob.person.id)


def test_a_thumbnail_or_fact_of_another_sample_does_not_open(store, enrol):
    for column in ("thumbnail", "facts"):
        ada, bob = enrol(store, f"Ada {column}"), enrol(store, f"Bob {column}")
        tamper(
            store,
            (
                f"UPDATE sample SET {column} = (SELECT {column} FROM sample WHERE id = ?) WHERE id = ?",
                ada.sample.id,
                bob.sample.id,
            ),
        )
        assert_corrupt(lambda person=bob.person.id: store.samples(person), bob.sample.id)


def test_a_threshold_cannot_be_moved(store):
    strict = store.save_calibration('{"threshold": 0.6}', "strict", "face", "c", True)
    loose = store.save_calibration('{"threshold": 0.1}', "loose", "face", "c")
    tamper(
        store,
        (
            "UPDATE calibration SET document = (SELECT document FROM calibration WHERE id = ?) WHERE id = ?",
            loose.id,
            strict.id,
        ),
    )
    assert_corrupt(lambda: store.active_calibration("face", "c"), strict.id)


@pytest.mark.parametrize(
    "change", ["x''", "x'00'", "zeroblob(40)", "x'02' || substr(vector, 2)", "substr(vector, 1, 20)"]
)
def test_a_damaged_record_is_named(store, enrol, change):
    ada, bob = enrol(store, "Ada"), enrol(store, "Bob")
    tamper(store, (f"UPDATE template SET vector = CAST({change} AS BLOB) WHERE id = ?", ada.template.id))
    assert_corrupt(lambda: store.templates(ada.template.contract_id), ada.template.id)
    assert store.templates(ada.template.contract_id, bob.person.id) == [bob.template]


def test_records_of_another_database_do_not_open(store_factory, store, enrol):
    ada = enrol(store, "Ada")
    with store_factory.open(name="other.db") as other:
        tamper(
            other,
            ("ATTACH ? AS one", str(store.location)),
            ("INSERT INTO person SELECT * FROM one.person",),
        )
        assert_corrupt(other.people, ada.person.id)
