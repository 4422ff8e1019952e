"""People, by the contract that every backend keeps."""

from __future__ import annotations

import base64
import json
import unicodedata
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrollment_db import ErrorKind, StoreError
from enrollment_db.vault import fold_name


def test_a_person_is_found_by_id_and_by_name_however_typed(store):
    added = store.add_person("  José   MARTÍ ")
    assert added.name == "José MARTÍ"
    assert uuid.UUID(added.id)
    for asked in (added.id, "José MARTÍ", "josé martí", unicodedata.normalize("NFD", "JOSÉ martí"), " José  Martí"):
        assert store.person(asked) == added
    assert store.people() == [added]


def test_a_person_is_the_same_after_closing_and_opening(store_factory):
    with store_factory.open() as store:
        added = store.add_person("Ada")
    with store_factory.open() as store:
        assert store.people() == [added]


def test_people_come_ordered_by_name(store):
    for name in ("bob", "Ada", "Érik", "carl"):
        store.add_person(name)
    assert [person.name for person in store.people()] == ["Ada", "bob", "carl", "Érik"]


def test_two_people_cannot_share_a_name(store):
    ada, bob = store.add_person("Ada"), store.add_person("Bob")
    with pytest.raises(StoreError, match="Somebody called 'ADA' is enrolled already") as caught:
        store.add_person("ADA")
    assert caught.value.kind == "person_exists"
    with pytest.raises(StoreError) as caught:
        store.rename_person(bob.id, "ada")
    assert caught.value.kind is ErrorKind.PERSON_EXISTS
    assert store.people() == [ada, bob]


def test_renaming_moves_the_name(store):
    ada = store.add_person("Ada")
    renamed = store.rename_person(ada.id, "Ada Lovelace")
    assert (renamed.id, renamed.name, renamed.created) == (ada.id, "Ada Lovelace", ada.created)
    assert store.person("ada lovelace") == renamed
    assert store.rename_person(ada.id, "ADA LOVELACE").name == "ADA LOVELACE"
    with pytest.raises(StoreError):
        store.person("Ada")
    store.add_person("Ada")


def test_nobody_is_found_who_is_not_there(store):
    somebody = str(uuid.uuid4())
    for call in (
        lambda: store.person("Nobody"),
        lambda: store.person("\udcff"),
        lambda: store.rename_person(somebody, "New"),
        lambda: store.remove_person(somebody),
        lambda: store.export_person(somebody),
        lambda: store.samples(somebody),
        lambda: store.template_contracts(somebody),
        lambda: store.add_sample(somebody, "face", "0" * 64, "camera", "camera", {}),
    ):
        with pytest.raises(StoreError) as caught:
            call()
        assert caught.value.kind == "no_such_person"


@pytest.mark.parametrize(
    "name", ["", "   ", "\t\n", "x" * 201, "a\x00b", "a\x1bb", "\udcff", "c0ffee00-0000-4000-8000-000000000000"]
)
def test_an_unusable_name_is_refused(store, name):
    with pytest.raises(StoreError) as caught:
        store.add_person(name)
    assert caught.value.kind == "invalid"
    assert store.people() == []
    assert store.audit() == []


def test_removal_takes_everything_of_one_person_and_nothing_of_another(store, enrol):
    ada, bob = enrol(store, "Ada"), enrol(store, "Bob")
    assert store.remove_person(ada.person.id).erased
    assert store.people() == [bob.person]
    assert store.templates(ada.template.contract_id) == [bob.template]
    assert store.sample_counts() == {bob.person.id: {"face": 1}}
    with pytest.raises(StoreError):
        store.person("Ada")
    removal = store.audit(1)[0]
    assert (removal.event, removal.subject_id, removal.details) == ("person_removed", ada.person.id, {})
    assert enrol(store, "Ada").person.id != ada.person.id
    store.check()


def test_an_export_holds_everything_and_is_json(store, enrol):
    ada = enrol(store, "Ada")
    export = json.loads(json.dumps(store.export_person(ada.person.id)))
    assert export["person"]["name"] == "Ada"
    (sample,), (template,) = export["samples"], export["templates"]
    assert (sample["sha256"], sample["source"], sample["quality"]) == (
        ada.sample.sha256,
        "/home/Ada.jpg",
        {"score": 0.75},
    )
    assert base64.b64decode(sample["thumbnail"]) == ada.sample.thumbnail
    assert base64.b64decode(template["vector"]) == ada.template.vector
    assert template["contract"] == ada.template.contract_id
    events = [entry["event"] for entry in export["audit"]]
    assert events == ["person_added", "sample_added", "template_added", "person_exported"]


def give_up(store, name):
    with store.transaction():
        store.add_person(name)
        raise KeyError


def test_a_transaction_keeps_all_or_nothing(store):
    with pytest.raises(KeyError):
        give_up(store, "Ada")
    assert store.people() == []
    with store.transaction():
        store.add_person("Ada")
        with pytest.raises(StoreError):
            store.add_person("ada")
        with pytest.raises(KeyError):
            give_up(store, "Bob")
        store.add_person("Carl")
    assert [person.name for person in store.people()] == ["Ada", "Carl"]
    assert store.verify_audit() == 2


def test_a_closed_store_says_so(store):
    store.close()
    store.close()
    with pytest.raises(StoreError) as caught:
        store.people()
    assert caught.value.kind == "unavailable"


@given(st.text())
def test_folding_a_name_twice_changes_nothing_more(name):
    once = fold_name(name)
    assert fold_name(once) == once
    assert fold_name(unicodedata.normalize("NFD", name)) == once
    assert fold_name(unicodedata.normalize("NFC", name)) == once
    assert fold_name(name.casefold()) == once
