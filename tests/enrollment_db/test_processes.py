"""Several processes and threads at once, and processes that are killed."""

from __future__ import annotations

import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from enrollment_db import StoreError

PRELUDE = """
import sys
from enrollment_db import FileKey, StoreError, open_store
CONTRACT = dict(encoder="e", sha256="f", preprocessing="1", dimension=1, normalisation="l2")
def enrol(store, name):
    with store.transaction():
        person = store.add_person(name)
        sample = store.add_sample(person.id, "face", "0" * 64, "camera", "camera", {}, b"thumbnail" * 2000)
        store.add_template(person.id, sample.id, "face", CONTRACT, b"\\x00\\x00\\x80\\x3f")
    return person
"""

HOLD = (
    PRELUDE
    + """
with open_store(sys.argv[1], FileKey(sys.argv[2])) as store, store.transaction():
    enrol(store, "Ada")
    print("holding", flush=True)
    sys.stdin.readline()
"""
)

ADD = (
    PRELUDE
    + """
print("ready", flush=True)
sys.stdin.readline()
with open_store(sys.argv[1], FileKey(sys.argv[2]), timeout=60) as store:
    for number in range(int(sys.argv[4])):
        enrol(store, f"{sys.argv[3]} {number}")
"""
)

ENROL_AND_REMOVE = (
    PRELUDE
    + """
with open_store(sys.argv[1], FileKey(sys.argv[2])) as store:
    number = len(store.audit(-1))
    while True:
        number += 1
        for name in (f"kept {number}", f"removed {number}"):
            print("added", enrol(store, name).name, flush=True)
        store.remove_person(store.person(f"removed {number}").id)
        print("gone", f"removed {number}", flush=True)
"""
)


@pytest.fixture
def paths(tmp_path):
    return tmp_path / "data" / "people.db", tmp_path / "key"


def test_a_held_lock_is_reported_and_readers_go_on(store_factory, start, paths):
    with store_factory.open(timeout=0.2) as store:
        bob = store.add_person("Bob")
        other = start(HOLD, *paths)
        assert other.stdout.readline() == "holding\n"
        began = time.monotonic()
        with pytest.raises(StoreError, match="in use by another program") as caught:
            store.add_person("Carl")
        assert caught.value.kind == "locked"
        assert time.monotonic() - began < 5
        assert store.people() == [bob]
        with store_factory.open(timeout=0.2) as second:
            assert second.people() == [bob]
        other.stdin.write("\n")
        other.stdin.flush()
        assert other.wait() == 0
        assert [person.name for person in store.people()] == ["Ada", "Bob"]
        store.add_person("Carl")


def test_processes_may_create_and_fill_one_database_at_once(store_factory, start, paths):
    processes = [start(ADD, *paths, letter, 5) for letter in "abc"]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        _, errors = process.communicate()
        assert (process.returncode, errors) == (0, "")
    with store_factory.open() as store:
        assert {person.name for person in store.people()} == {f"{letter} {n}" for letter in "abc" for n in range(5)}
        store.check()
        assert store.verify_audit() == 45


def test_a_killed_writer_leaves_whole_people_and_a_readable_database(store_factory, start, paths):
    present, gone = set(), set()
    chance = random.Random(7)
    for _ in range(6):
        process = start(ENROL_AND_REMOVE, *paths)
        lines = [process.stdout.readline() for _ in range(chance.randint(4, 9))]
        time.sleep(chance.random() * 0.05)
        process.send_signal(signal.SIGKILL)
        lines += process.communicate()[0].splitlines(keepends=True)
        assert process.returncode == -signal.SIGKILL
        for line in lines:
            if line.endswith("\n"):
                word, name = line.strip().split(" ", 1)
                (present if word == "added" else gone).add(name)
        with store_factory.open() as store:
            store.check()
            assert store.erase_pending()
            people = store.people()
            names = {person.name for person in people}
            # What was reported holds; the one call that the signal may have met did all of its work or none.
            assert present - gone - names <= {name for name in present if name.startswith("removed")}
            assert not gone & names
            counts = store.sample_counts()
            assert all(counts[person.id] == {"face": 1} for person in people)
            assert len(store.templates("e/f/1/1/l2")) == len(people)
    assert len(present) > 10


def test_threads_may_share_a_store(store_factory):
    with store_factory.open() as store:

        def work(letter):
            for number in range(5):
                with store.transaction():
                    person = store.add_person(f"{letter} {number}")
                    store.add_sample(person.id, "voice", "0" * 64, "microphone", "microphone", {})
                store.people()
                if number == 2:
                    assert store.remove_person(person.id).erased

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, "abcd"))
        assert len(store.people()) == 16
        assert len(store.sample_counts()) == 16
        store.check()
