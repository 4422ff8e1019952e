"""Calibrations, by the contract that every backend keeps."""

from __future__ import annotations

import json

import pytest

from enrollment_db import StoreError

FACE = "encoder/digest/1/8/l2"


def save(store, name, **options):
    arguments = {"modality": "face", "contract_id": FACE, "active": False} | options
    return store.save_calibration(json.dumps({"name": name}), name, **arguments)


def test_a_calibration_comes_back_as_it_was(store):
    text = '{ "threshold": 0.10000000000000001, "name":"é", "references": 3 }'
    saved = store.save_calibration(text, "own", "face", FACE, True)
    assert (saved.json, saved.references, saved.active) == (text, 3, True)
    assert store.calibrations() == [saved]
    assert store.calibration(saved.id) == saved


def test_one_calibration_is_active_for_each_modality_contract_and_number_of_references(store):
    first, second = save(store, "a", active=True), save(store, "b", active=True)
    others = [
        save(store, "c", active=True, modality="voice"),
        save(store, "d", active=True, contract_id="other"),
        save(store, "e", active=True, references=3),
        save(store, "f"),
    ]
    active = {calibration.name for calibration in store.calibrations() if calibration.active}
    assert active == {"b", "c", "d", "e"}
    assert store.active_calibration("face", FACE).id == second.id
    assert store.use_calibration(first.id).active
    assert store.active_calibration("face", FACE).id == first.id
    assert [store.calibration(other.id) for other in others] == others


def test_the_calibration_for_the_most_references_not_above_those_enrolled_is_used(store):
    one, three = save(store, "1", active=True), save(store, "3", active=True, references=3)
    wanted = {1: one, 2: one, 3: three, 10: three}
    assert {n: store.active_calibration("face", FACE, n) for n in wanted} == wanted
    assert store.active_calibration("voice", FACE) is None
    store.remove_calibration(one.id)
    assert store.active_calibration("face", FACE, 2) is None


def test_a_removed_calibration_is_gone(store):
    kept, removed = save(store, "a"), save(store, "b", active=True)
    store.remove_calibration(removed.id)
    assert store.calibrations() == [kept]
    for call in (store.calibration, store.use_calibration, store.remove_calibration):
        with pytest.raises(StoreError) as caught:
            call(removed.id)
        assert caught.value.kind == "no_such_record"


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("", {}),
        ("[]", {}),
        ("{", {}),
        ('{"a": "\udcff"}', {}),
        ('{"references": 0}', {}),
        ('{"references": true}', {}),
        ('{"references": "3"}', {}),
        ("{}", {"references": 0}),
        ("{}", {"name": " "}),
        ("{}", {"modality": "FACE"}),
        ("{}", {"contract_id": ""}),
    ],
)
def test_what_is_no_calibration_is_refused(store, text, options):
    arguments = {"name": "own", "modality": "face", "contract_id": FACE} | options
    with pytest.raises(StoreError) as caught:
        store.save_calibration(text, **arguments)
    assert caught.value.kind == "invalid"
    assert store.calibrations() == []
