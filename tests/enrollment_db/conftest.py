"""What the tests of the store share: a store on real files, and people to put into it."""

from __future__ import annotations

import hashlib
import math
import random
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from enrollment_db import FileKey, KeyProvider, Person, Store, StoredSample, StoredTemplate, open_store

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Factory:
    """Opens one and the same gallery as often as asked, or another one."""

    folder: Path

    def open(self, key: KeyProvider | None = None, *, name: str = "people.db", timeout: float = 5.0) -> Store:
        return open_store(self.folder / "data" / name, key or FileKey(self.folder / "key"), timeout=timeout)


@pytest.fixture(params=["sqlite"])
def store_factory(tmp_path: Path, request: pytest.FixtureRequest) -> Factory:
    """A backend to run the contract tests against; a server would be another parameter."""
    return {"sqlite": Factory}[request.param](tmp_path)


@pytest.fixture
def store(store_factory: Factory) -> Iterator[Store]:
    with store_factory.open() as store:
        yield store


@pytest.fixture
def contract() -> dict[str, Any]:
    return {"encoder": "tiny", "sha256": "ab" * 32, "preprocessing": "1", "dimension": 8, "normalisation": "l2"}


@dataclass(frozen=True)
class Enrolled:
    person: Person
    sample: StoredSample
    template: StoredTemplate


def unit_vector(seed: int, dimension: int = 8) -> bytes:
    values = [random.Random(f"{seed}/{i}").gauss(0, 1) for i in range(dimension)]
    norm = math.sqrt(sum(value * value for value in values))
    return struct.pack(f"<{dimension}f", *(value / norm for value in values))


@pytest.fixture
def vector() -> Callable[[int], bytes]:
    return unit_vector


@pytest.fixture
def enrol(contract: dict[str, Any]) -> Callable[[Store, str], Enrolled]:
    def enrol(store: Store, name: str) -> Enrolled:
        with store.transaction():
            person = store.add_person(name)
            digest = hashlib.sha256(name.encode()).hexdigest()
            thumbnail = random.Random(name).randbytes(3000)
            sample = store.add_sample(
                person.id, "face", digest, f"/home/{name}.jpg", "file", {"score": 0.75}, thumbnail
            )
            template = store.add_template(person.id, sample.id, "face", contract, unit_vector(len(name)))
        return Enrolled(person, sample, template)

    return enrol


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts another Python process on the same package; none outlives the test."""
    running: list[subprocess.Popen[str]] = []

    def start(script: str, *arguments: str | Path) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", script, *map(str, arguments)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()
