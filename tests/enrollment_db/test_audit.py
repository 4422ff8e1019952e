"""The log: it grows, it holds no biometric data, and it tells when somebody changed it by hand."""

from __future__ import annotations

import math
import sqlite3

import pytest

from enrollment_db import StoreError


def test_entries_come_newest_first_and_form_a_chain(store):
    first = store.append_audit("verification", "some-id", {"decision": "verified", "llr": 8.25, "codes": ["a"] * 20})
    second = store.append_audit("opened")
    assert store.audit() == [second, first]
    assert store.audit(1) == [second]
    assert store.audit(subject_id="some-id") == [first]
    assert second.previous == first.digest
    assert store.verify_audit() == 2


def test_the_store_logs_its_own_changes(store, enrol):
    ada = enrol(store, "Ada")
    store.rename_person(ada.person.id, "Bea")
    store.remove_sample(ada.sample.id)
    saved = store.save_calibration("{}", "own", "face", "c")
    store.use_calibration(saved.id)
    store.remove_calibration(saved.id)
    store.export_person(ada.person.id)
    store.remove_person(ada.person.id)
    assert [entry.event for entry in reversed(store.audit())] == [
        "person_added",
        "sample_added",
        "template_added",
        "person_renamed",
        "sample_removed",
        "calibration_saved",
        "calibration_used",
        "calibration_removed",
        "person_exported",
        "person_removed",
    ]
    text = repr([(entry.event, entry.details) for entry in store.audit()])
    for secret in ("Ada", "Bea", ada.sample.sha256, ada.sample.source):
        assert secret not in text


@pytest.mark.parametrize(
    "details",
    [
        {"vector": [1.0]},
        {"person": {"name": "Ada"}},
        {"scores": [0.5] * 17},
        {"data": b"bytes"},
        {"text": "x" * 501},
        {"llr": math.nan},
        {1: 2},
    ],
)
def test_biometric_data_and_names_are_not_logged(store, details):
    with pytest.raises(StoreError) as caught:
        store.append_audit("verification", None, details)
    assert caught.value.kind == "invalid"
    assert store.audit() == []


def test_the_database_itself_refuses_to_change_the_log(store, enrol):
    enrol(store, "Ada")
    database = sqlite3.connect(store.location)
    for sql in ("DELETE FROM audit", "UPDATE audit SET event = 'nothing'"):
        with pytest.raises(sqlite3.IntegrityError, match="only grows"):
            database.execute(sql)
    database.close()


FORGERIES = {
    "a changed word": "UPDATE audit SET event = 'nothing' WHERE number = 2",
    "a changed subject": "UPDATE audit SET subject_id = 'me' WHERE number = 1",
    "a changed digest": "UPDATE audit SET digest = zeroblob(32) WHERE number = 2",
    "a lost entry": "DELETE FROM audit WHERE number = 2",
    "a lost end": "DELETE FROM audit WHERE number = 3",
    "a lost log": "DELETE FROM audit",
    "a lost log and head": "DELETE FROM audit; DELETE FROM audit_head",
    "an added entry": "INSERT INTO audit SELECT 4, at, event, subject_id, details, digest, zeroblob(32) FROM audit "
    "WHERE number = 3",
}


@pytest.mark.parametrize("sql", FORGERIES.values(), ids=FORGERIES)
def test_a_log_changed_by_hand_is_noticed(store, enrol, sql):
    enrol(store, "Ada")
    assert store.verify_audit() == 3
    database = sqlite3.connect(store.location)
    database.executescript("DROP TRIGGER audit_keeps_entries; DROP TRIGGER audit_keeps_words;" + sql)
    database.close()
    with pytest.raises(StoreError, match="audit log of the enrolment database is broken") as caught:
        store.verify_audit()
    assert caught.value.kind == "corrupt"


def test_a_cut_log_is_not_continued(store, enrol):
    ada = enrol(store, "Ada")
    database = sqlite3.connect(store.location)
    database.executescript("DROP TRIGGER audit_keeps_entries; DELETE FROM audit WHERE number = 3")
    database.close()
    with pytest.raises(StoreError) as caught:
        store.rename_person(ada.person.id, "Bea")
    assert caught.value.kind == "corrupt"
    assert store.person("Ada") == ada.person
