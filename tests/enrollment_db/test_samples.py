"""Samples, templates and contracts, by the contract that every backend keeps."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from enrollment_db import StoredContract, StoreError


def test_samples_come_back_as_they_were(store, enrol):
    ada = enrol(store, "Ada")
    voice = store.add_sample(ada.person.id, "voice", "f" * 64, "microphone", "microphone", {"speech_seconds": 2.5})
    assert voice.thumbnail is None
    assert store.samples(ada.person.id) == [ada.sample, voice]
    assert store.sample_counts() == {ada.person.id: {"face": 1, "voice": 1}}


def test_removing_a_sample_takes_its_templates_along(store, enrol, contract, vector):
    ada = enrol(store, "Ada")
    second = store.add_sample(ada.person.id, "face", "f" * 64, "camera", "camera", {})
    kept = store.add_template(ada.person.id, second.id, "face", contract, vector(1))
    assert store.remove_sample(ada.sample.id).erased
    assert store.samples(ada.person.id) == [second]
    assert store.templates(kept.contract_id) == [kept]
    with pytest.raises(StoreError) as caught:
        store.remove_sample(ada.sample.id)
    assert caught.value.kind == "no_such_record"


def test_templates_of_two_contracts_never_mix(store, enrol, contract, vector):
    ada, bob = enrol(store, "Ada"), enrol(store, "Bob")
    other = store.add_template(bob.person.id, bob.sample.id, "face", contract | {"sha256": "cd" * 32}, vector(3))
    assert other.contract_id != ada.template.contract_id
    assert {template.id for template in store.templates(ada.template.contract_id)} == {ada.template.id, bob.template.id}
    assert store.templates(other.contract_id) == [other]
    assert store.templates(other.contract_id, ada.person.id) == []
    assert store.templates(ada.template.contract_id, bob.person.id) == [bob.template]
    assert store.templates("unknown") == []
    assert store.template_contracts(bob.person.id) == {ada.template.contract_id, other.contract_id}
    assert store.template_contracts(ada.person.id) == {ada.template.contract_id}


def test_a_contract_is_kept_once_and_named_by_its_parts(store, enrol, contract):
    enrol(store, "Ada")
    enrol(store, "Bob")
    name = "/".join(["tiny", "ab" * 32, "1", "8", "l2"])
    assert store.contracts() == [StoredContract(name, "tiny", "ab" * 32, "1", 8, "l2")]


@pytest.mark.parametrize(
    "values",
    [(1.0,) * 7, (1.0,) * 9, (), (math.nan,) * 8, (math.inf,) + (0.0,) * 7, (0.0,) * 8, (1.0,) * 8],
    ids=["short", "long", "empty", "nan", "infinite", "zero", "not unit norm"],
)
def test_a_vector_that_breaks_its_contract_is_refused(store, enrol, contract, values):
    ada = enrol(store, "Ada")
    with pytest.raises(StoreError) as caught:
        store.add_template(ada.person.id, ada.sample.id, "face", contract, struct.pack(f"<{len(values)}f", *values))
    assert caught.value.kind == "contract_mismatch"
    assert store.templates(ada.template.contract_id) == [ada.template]


def test_a_contract_without_a_norm_takes_any_finite_vector(store, enrol, contract):
    ada = enrol(store, "Ada")
    vector = struct.pack("<8f", *[3.0] * 8)
    kept = store.add_template(ada.person.id, ada.sample.id, "face", contract | {"normalisation": "none"}, vector)
    assert store.templates(kept.contract_id) == [kept]


@pytest.mark.parametrize(
    "change", [{"dimension": 0}, {"dimension": "8"}, {"dimension": True}, {"encoder": ""}, {"preprocessing": "a/b"}]
)
def test_a_contract_that_makes_no_sense_is_refused(store, enrol, contract, vector, change):
    ada = enrol(store, "Ada")
    with pytest.raises(StoreError) as caught:
        store.add_template(ada.person.id, ada.sample.id, "face", contract | change, vector(1))
    assert caught.value.kind == "invalid"
    del contract["sha256"]
    with pytest.raises(StoreError, match="lacks 'sha256'"):
        store.add_template(ada.person.id, ada.sample.id, "face", contract, vector(1))


def test_a_template_needs_a_sample_of_that_person_and_modality(store, enrol, contract, vector):
    ada, bob = enrol(store, "Ada"), enrol(store, "Bob")
    for person, sample, modality in (
        (ada.person.id, bob.sample.id, "face"),
        (ada.person.id, ada.sample.id, "voice"),
        (ada.person.id, "unknown", "face"),
    ):
        with pytest.raises(StoreError) as caught:
            store.add_template(person, sample, modality, contract, vector(1))
        assert caught.value.kind == "no_such_record"


@pytest.mark.parametrize(
    "change",
    [{"modality": "Face!"}, {"sha256": "XYZ"}, {"quality": {"score": math.nan}}, {"quality": {"score": object()}}],
)
def test_facts_that_make_no_sense_are_refused(store, change):
    ada = store.add_person("Ada")
    facts = {"modality": "face", "sha256": "0" * 64, "source": "camera", "device_class": "camera", "quality": {}}
    with pytest.raises(StoreError) as caught:
        store.add_sample(ada.id, **(facts | change))
    assert caught.value.kind == "invalid"
    assert store.samples(ada.id) == []


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    source=st.text(),
    thumbnail=st.binary(max_size=500),
    values=st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=8, max_size=8),
)
def test_any_text_bytes_and_numbers_come_back_exactly(store, contract, source, thumbnail, values):
    person = store.people()[0] if store.people() else store.add_person("Ada")
    kept = store.add_sample(person.id, "face", "0" * 64, source, "file", {"source": source}, thumbnail)
    assert store.samples(person.id)[-1] == kept
    assert (kept.source, kept.thumbnail, kept.quality) == (source, thumbnail, {"source": source})
    vector = struct.pack("<8f", *values)
    template = store.add_template(person.id, kept.id, "face", contract | {"normalisation": "none"}, vector)
    assert template in store.templates(template.contract_id)
    assert template.vector == vector
