"""The store against a plain dictionary: whatever is done in whatever order, they agree."""

from __future__ import annotations

import struct
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from enrollment_db import FileKey, PassphraseKey, StoreError, open_store

NAMES = st.sampled_from(["Ada", "ada", "Bob", "Érik", "E\u0301RIK", "Zoë Q"])
CONTRACTS = {
    dimension: {"encoder": "e", "sha256": "f", "preprocessing": "1", "dimension": dimension, "normalisation": "none"}
    for dimension in (1, 2)
}


class StoreAgainstDictionary(RuleBasedStateMachine):
    people = Bundle("people")
    samples = Bundle("samples")

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.key = FileKey(Path(self.folder.name) / "key")
        self.changes_of_key = 0
        self.model = {}  # person id -> name
        self.kept = {}  # sample id -> (person id, facts, {template id: (contract, vector)})
        self.events = 0

    @initialize()
    def open(self):
        self.store = open_store(Path(self.folder.name) / "people.db", self.key)

    def taken(self, name, by=None):
        folded = {"ada": 1, "bob": 2, "zoë q": 3}.get(name.casefold(), 4)
        return any(
            {"ada": 1, "bob": 2, "zoë q": 3}.get(n.casefold(), 4) == folded for i, n in self.model.items() if i != by
        )

    @rule(target=people, name=NAMES)
    def add_person(self, name):
        if self.taken(name):
            with pytest.raises(StoreError):
                self.store.add_person(name)
            return self.store.person(name).id
        person = self.store.add_person(name)
        self.model[person.id] = person.name
        self.events += 1
        return person.id

    @rule(person=people, name=NAMES)
    def rename(self, person, name):
        if person not in self.model or self.taken(name, person):
            with pytest.raises(StoreError):
                self.store.rename_person(person, name)
        else:
            self.model[person] = self.store.rename_person(person, name).name
            self.events += 1

    @rule(person=consumes(people))
    def remove_person(self, person):
        if person not in self.model:
            with pytest.raises(StoreError):
                self.store.remove_person(person)
            return
        assert self.store.remove_person(person).erased
        del self.model[person]
        self.kept = {key: value for key, value in self.kept.items() if value[0] != person}
        self.events += 1

    @rule(target=samples, person=people, thumbnail=st.none() | st.binary(max_size=20), give_up=st.booleans())
    def add_sample(self, person, thumbnail, give_up):
        if person not in self.model:
            with pytest.raises(StoreError):
                self.store.add_sample(person, "face", "0" * 64, "camera", "camera", {}, thumbnail)
            return "nothing"
        try:
            with self.store.transaction():
                sample = self.store.add_sample(person, "face", "0" * 64, "camera", "camera", {}, thumbnail)
                if give_up:
                    raise KeyError
        except KeyError:
            return sample.id
        self.kept[sample.id] = (person, sample, {})
        self.events += 1
        return sample.id

    @rule(sample=samples)
    def remove_sample(self, sample):
        if self.kept.pop(sample, None) is None:
            with pytest.raises(StoreError):
                self.store.remove_sample(sample)
        else:
            assert self.store.remove_sample(sample).erased
            self.events += 1

    @rule(
        sample=samples, dimension=st.sampled_from([1, 2]), values=st.lists(st.integers(-9, 9), min_size=1, max_size=2)
    )
    def add_template(self, sample, dimension, values):
        person = self.kept[sample][0] if sample in self.kept else next(iter(self.model), "nobody")
        vector = struct.pack(f"<{len(values)}f", *values)
        if sample not in self.kept or len(values) != dimension:
            with pytest.raises(StoreError):
                self.store.add_template(person, sample, "face", CONTRACTS[dimension], vector)
        else:
            template = self.store.add_template(person, sample, "face", CONTRACTS[dimension], vector)
            self.kept[sample][2][template.id] = template
            self.events += 1

    @rule()
    def reopen(self):
        self.store.close()
        self.open()

    @rule()
    def change_key(self):
        self.changes_of_key += 1
        self.key = PassphraseKey(f"number {self.changes_of_key}", time_cost=1, memory_kib=64, parallelism=1)
        self.store.rekey(self.key)
        self.events += 1

    @invariant()
    def they_agree(self):
        if not hasattr(self, "store"):
            return
        assert {person.id: person.name for person in self.store.people()} == self.model
        for person, name in self.model.items():
            assert self.store.person(name).id == person
            wanted = {key: value[1] for key, value in self.kept.items() if value[0] == person}
            assert {sample.id: sample for sample in self.store.samples(person)} == wanted
        templates = [template for value in self.kept.values() for template in value[2].values()]
        for dimension in CONTRACTS:
            contract_id = f"e/f/1/{dimension}/none"
            wanted = {template.id: template for template in templates if template.contract_id == contract_id}
            assert {template.id: template for template in self.store.templates(contract_id)} == wanted
        assert self.store.verify_audit() == self.events

    def teardown(self):
        if hasattr(self, "store"):
            self.store.check()
            self.store.close()
        self.folder.cleanup()


TestStoreAgainstDictionary = StoreAgainstDictionary.TestCase
TestStoreAgainstDictionary.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)
