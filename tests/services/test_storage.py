"""Which key opens the database, and what is told when it cannot be opened."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail

from verify_app.reasons import ReasonCode, StateError
from verify_app.services import people
from verify_app.services.application import Application
from verify_app.services.settings import Settings


class _MemoryKeyring(KeyringBackend):
    """A real keyring backend that keeps its secrets in memory."""

    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


@pytest.fixture
def no_keyring() -> Iterator[None]:
    before = keyring.get_keyring()
    keyring.set_keyring(fail.Keyring())
    yield
    keyring.set_keyring(before)


@pytest.fixture
def memory_keyring() -> Iterator[_MemoryKeyring]:
    before = keyring.get_keyring()
    backend = _MemoryKeyring()
    keyring.set_keyring(backend)
    yield backend
    keyring.set_keyring(before)


def _settings(folder: Path, passphrase: str | None = None) -> Settings:
    return Settings(folder / "data", folder / "config", passphrase)


@pytest.mark.usefixtures("no_keyring")
def test_without_keyring_and_passphrase_a_closed_key_file_is_made_and_told_once(tmp_path: Path) -> None:
    told: list[str] = []
    for _ in range(2):
        with Application(_settings(tmp_path), warn=told.append) as app:
            assert app.store.protection == "file"

    key_file = tmp_path / "config" / "enrolment.key"
    assert len(told) == 1
    assert str(key_file) in told[0]
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600


def test_a_keyring_is_used_where_there_is_one(tmp_path: Path, memory_keyring: _MemoryKeyring) -> None:
    told: list[str] = []
    for _ in range(2):
        with Application(_settings(tmp_path), warn=told.append) as app:
            assert app.store.protection == "keyring"

    assert len(memory_keyring.kept) == 1
    assert not told
    assert not (tmp_path / "config").exists()


@pytest.mark.usefixtures("memory_keyring")
def test_a_passphrase_wins_and_is_asked_for_later(tmp_path: Path) -> None:
    with Application(_settings(tmp_path, "open sesame")) as app:
        app.store.add_person("Ada")
        assert app.store.protection == "passphrase"

    with Application(_settings(tmp_path), ask_passphrase=lambda: "open sesame") as app:
        assert [person.name for person in app.store.people()] == ["Ada"]


@pytest.mark.parametrize("answer", [None, "wrong"])
def test_without_the_passphrase_nothing_opens(tmp_path: Path, answer: str | None) -> None:
    with Application(_settings(tmp_path, "open sesame")) as app:
        app.store.add_person("Ada")

    ask = (lambda: answer) if answer else None
    with (
        Application(_settings(tmp_path), ask_passphrase=ask) as app,
        pytest.raises(StateError) as refusal,
    ):
        app.store.people()

    assert refusal.value.reason.code is ReasonCode.KEY_UNAVAILABLE
    assert refusal.value.reason.advice


def test_a_damaged_database_is_told_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "data" / "enrolment.db"
    file.parent.mkdir()
    file.write_bytes(b"this is no database" * 100)

    with Application(_settings(tmp_path, "x")) as app, pytest.raises(StateError) as refusal:
        app.store.people()

    assert refusal.value.reason.code is ReasonCode.DATABASE_CORRUPT
    assert file.read_bytes() == b"this is no database" * 100


def test_a_locked_database_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Application(_settings(tmp_path, "x")) as app:
        app.store.add_person("Ada")
    monkeypatch.setattr("enrollment_db.store.open_store.__kwdefaults__", {"timeout": 0.1})
    other = sqlite3.connect(tmp_path / "data" / "enrolment.db", isolation_level=None)
    try:
        other.execute("BEGIN EXCLUSIVE")
        with Application(_settings(tmp_path, "x")) as app, pytest.raises(StateError) as refusal:
            people.rename(app, "Ada", "Bruno")
    finally:
        other.close()

    assert refusal.value.reason.code is ReasonCode.DATABASE_LOCKED
