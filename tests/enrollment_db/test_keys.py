"""Who holds the key: passphrase, keyring, file; wrong keys, lost keys, changed keys."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import keyring
import keyring.backend
import keyring.backends.chainer
import keyring.backends.fail
import keyring.backends.null
import keyring.errors
import pytest

from enrollment_db import FileKey, KeyringKey, PassphraseKey, StoreError, protection


def cheap(passphrase):
    return PassphraseKey(passphrase, time_cost=1, memory_kib=64, parallelism=1)


def refused(call, match):
    with pytest.raises(StoreError, match=match) as caught:
        call()
    assert caught.value.kind == "key_unavailable"
    assert caught.value.advice
    return caught.value


def test_a_wrong_passphrase_is_refused_in_words(store_factory):
    with store_factory.open(cheap("correct horse")) as store:
        ada = store.add_person("Ada")
        assert store.protection == "passphrase"
    error = refused(lambda: store_factory.open(cheap("battery staple")), "The passphrase is wrong")
    assert "battery" not in error.message
    with store_factory.open(cheap("correct horse")) as store:
        assert store.people() == [ada]


def test_the_way_accents_are_typed_does_not_matter(store_factory):
    store_factory.open(cheap("clé d’été")).close()
    store_factory.open(cheap("cle\u0301 d’e\u0301te\u0301")).close()


def test_an_empty_passphrase_is_refused():
    refused(lambda: PassphraseKey(""), "empty")


def test_the_cost_is_that_of_rfc_9106_unless_asked_otherwise(store_factory):
    with store_factory.open(PassphraseKey("correct horse")) as store:
        parameters = json.loads(store._database.value("SELECT parameters FROM vault"))
    assert {name: parameters[name] for name in ("time_cost", "memory_kib", "parallelism")} == {
        "time_cost": 3,
        "memory_kib": 65536,
        "parallelism": 4,
    }
    assert len(bytes.fromhex(parameters["salt"])) == 16


@pytest.mark.parametrize(
    "parameters",
    ["{", "[]", "{}", '{"salt": "zz"}', '{"salt": "00112233", "time_cost": 1, "memory_kib": 1e12, "parallelism": 1}'],
)
def test_damaged_parameters_are_told_from_a_wrong_passphrase(store_factory, parameters):
    with store_factory.open(cheap("a")) as store:
        path = store.location
    database = sqlite3.connect(path)
    database.execute("UPDATE vault SET parameters = ?", (parameters,))
    database.commit()
    database.close()
    with pytest.raises(StoreError) as caught:
        store_factory.open(cheap("a"))
    assert caught.value.kind == "corrupt"


def test_a_damaged_data_key_is_told_from_a_wrong_passphrase(store_factory):
    with store_factory.open(cheap("a")) as store:
        path = store.location
    database = sqlite3.connect(path)
    database.execute("UPDATE vault SET data_key = zeroblob(61)")
    database.commit()
    database.close()
    with pytest.raises(StoreError) as caught:
        store_factory.open(cheap("a"))
    assert caught.value.kind == "corrupt"


def test_another_kind_of_key_is_refused_and_the_right_kind_can_be_asked_for(store_factory, tmp_path):
    path = tmp_path / "data" / "people.db"
    assert protection(path) is None
    assert not path.parent.exists()
    store_factory.open(cheap("a")).close()
    assert protection(path) == "passphrase"
    refused(lambda: store_factory.open(FileKey(tmp_path / "key")), "protected by a passphrase key")
    assert not (tmp_path / "key").exists()


def test_a_key_file_is_made_for_its_owner_alone_and_used_again(tmp_path, store_factory):
    path = tmp_path / "deep" / "folder" / "key"
    with store_factory.open(FileKey(path)) as store:
        ada = store.add_person("Ada")
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["key"]
    with store_factory.open(FileKey(path)) as store:
        assert store.people() == [ada]
    with store_factory.open(FileKey(path), name="other.db") as other:
        assert other.people() == []


def test_a_lost_foreign_or_damaged_key_file_is_refused(tmp_path, store_factory):
    path = tmp_path / "key"
    store_factory.open(FileKey(path)).close()
    content = path.read_bytes()
    path.unlink()
    refused(lambda: store_factory.open(FileKey(path)), "cannot be read")
    assert not path.exists(), "a lost key must not be replaced by a new one"
    FileKey(path).create("")
    refused(lambda: store_factory.open(FileKey(path)), "key is another's")
    for damaged in (b"", b"AAAA", b"\xff\x00", content[:-4]):
        path.write_bytes(damaged)
        refused(lambda: store_factory.open(FileKey(path)), "does not hold a key")
    path.write_bytes(content)
    store_factory.open(FileKey(path)).close()


@pytest.mark.skipif(os.name != "posix", reason="file modes are a POSIX matter")
def test_a_key_file_open_to_others_is_refused(tmp_path, store_factory):
    store_factory.open(FileKey(tmp_path / "key")).close()
    (tmp_path / "key").chmod(0o640)
    error = refused(lambda: store_factory.open(FileKey(tmp_path / "key")), "open to other users")
    assert "chmod 600" in error.advice


def test_a_key_file_that_cannot_be_written_is_refused(tmp_path, store_factory):
    (tmp_path / "file").write_text("in the way")
    refused(lambda: store_factory.open(FileKey(tmp_path / "file" / "key")), "cannot be written|cannot be read")


class MemoryKeyring(keyring.backend.KeyringBackend):
    """A keyring that lasts as long as the test."""

    priority = 1

    def __init__(self):
        super().__init__()
        self.entries = {}

    def get_password(self, service, username):
        return self.entries.get((service, username))

    def set_password(self, service, username, password):
        self.entries[service, username] = password

    def delete_password(self, service, username):
        if (service, username) not in self.entries:
            raise keyring.errors.PasswordDeleteError(username)
        del self.entries[service, username]


class LockedKeyring(MemoryKeyring):
    def get_password(self, service, username):
        raise keyring.errors.KeyringLocked("dismissed")


class OddKeyring(MemoryKeyring):
    def get_password(self, service, username):
        raise ZeroDivisionError("a plug-in with a fault")


class ForgetfulKeyring(MemoryKeyring):
    def get_password(self, service, username):
        return None


class PlaintextKeyring(MemoryKeyring):
    pass


@pytest.fixture
def use_keyring():
    before = keyring.get_keyring()
    yield keyring.set_keyring
    keyring.set_keyring(before)


def test_a_key_in_the_keyring_opens_the_store_again(use_keyring, store_factory):
    backend = MemoryKeyring()
    use_keyring(backend)
    with store_factory.open(KeyringKey("test")) as store:
        ada = store.add_person("Ada")
    with store_factory.open(KeyringKey("test")) as store:
        assert store.people() == [ada]
    assert len(backend.entries) == 1
    kept = dict(backend.entries)
    backend.entries.clear()
    refused(lambda: store_factory.open(KeyringKey("test")), "holds no key for this")
    assert backend.entries == {}
    backend.entries.update(dict.fromkeys(kept, "not base64"))
    refused(lambda: store_factory.open(KeyringKey("test")), "does not hold a key")
    backend.entries.update(kept)
    store_factory.open(KeyringKey("test")).close()


@pytest.mark.parametrize(
    ("backend", "match"),
    [
        (keyring.backends.fail.Keyring, "no keyring"),
        (keyring.backends.null.Keyring, "no keyring"),
        (LockedKeyring, "dismissed"),
        (OddKeyring, "a plug-in with a fault"),
        (ForgetfulKeyring, "did not keep the key"),
        (PlaintextKeyring, "clear text"),
    ],
    ids=lambda value: getattr(value, "__module__", "").split(".")[-1] + getattr(value, "__name__", ""),
)
def test_a_keyring_that_keeps_nothing_safe_is_refused_with_advice(use_keyring, store_factory, backend, match):
    use_keyring(backend())
    error = refused(lambda: store_factory.open(KeyringKey("test")), match)
    assert "passphrase" in error.advice


CHANGES = {
    "passphrase to passphrase": lambda folder: (cheap("old"), cheap("new")),
    "passphrase to file": lambda folder: (cheap("old"), FileKey(folder / "new")),
    "file to passphrase": lambda folder: (FileKey(folder / "old"), cheap("new")),
    "keyring to passphrase": lambda folder: (KeyringKey("test"), cheap("new")),
    "passphrase to keyring": lambda folder: (cheap("old"), KeyringKey("test")),
    "keyring to keyring": lambda folder: (KeyringKey("old"), KeyringKey("new")),
}


@pytest.mark.parametrize("providers", CHANGES.values(), ids=CHANGES)
def test_after_a_change_of_key_only_the_new_one_opens(use_keyring, store_factory, tmp_path, enrol, providers):
    backend = MemoryKeyring()
    use_keyring(backend)
    old, new = providers(tmp_path)
    with store_factory.open(old) as store:
        ada = enrol(store, "Ada")
        store.rekey(new)
        assert store.protection == new.kind
        assert store.person("ada") == ada.person
        bob = store.add_person("Bob")
    refused(lambda: store_factory.open(old), "wrong|another.s|protected by|holds no key")
    with store_factory.open(new) as store:
        assert store.people() == [ada.person, bob]
        assert store.templates(ada.template.contract_id) == [ada.template]
        assert "key_changed" in [entry.event for entry in store.audit()]
        store.check()
    assert len(backend.entries) == (new.kind == "keyring")


def test_a_change_of_key_that_fails_changes_nothing(use_keyring, store_factory):
    use_keyring(keyring.backends.fail.Keyring())
    with store_factory.open(cheap("old")) as store:
        refused(lambda: store.rekey(KeyringKey("test")), "no keyring")
        assert store.protection == "passphrase"
    store_factory.open(cheap("old")).close()


def test_a_store_opened_before_a_change_of_key_goes_on(store_factory):
    with store_factory.open(cheap("old")) as first, store_factory.open(cheap("old")) as second:
        first.rekey(cheap("new"))
        ada = second.add_person("Ada")
        assert first.people() == [ada]


def test_no_key_shows_up_in_a_representation():
    assert "secret" not in repr(PassphraseKey("secret"))


SECRET_SERVICE = """
import sys
from enrollment_db import KeyringKey, PassphraseKey, open_store
for _ in range(2):
    with open_store(sys.argv[1], KeyringKey("enrollment_db test")) as store:
        print(store.protection, [person.name for person in store.people()])
        store.people() or store.add_person("Ada")
        store.rekey(KeyringKey("enrollment_db test"))
"""


@pytest.mark.skipif(
    not (shutil.which("gnome-keyring-daemon") and shutil.which("dbus-run-session")),
    reason="needs gnome-keyring and dbus-run-session to start a keyring of its own",
)
def test_a_real_desktop_keyring_keeps_the_key(tmp_path):
    unlock = 'printf password | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1; exec "$@"'
    command = ["dbus-run-session", "--", "sh", "-c", unlock, "sh", sys.executable, "-c", SECRET_SERVICE]
    done = subprocess.run(
        [*command, str(tmp_path / "people.db")],
        cwd=Path(__file__).resolve().parents[2],
        env={**os.environ, "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.splitlines() == ["keyring []", "keyring ['Ada']"], done.stderr
