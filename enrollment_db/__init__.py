"""The enrolment database: people, samples, templates, contracts, calibrations and the log of what was done.

Everything that tells who somebody is or what they look or sound like is encrypted at rest (AES-256-GCM, a
key per person); templates are bound to the contract of the encoder that made them; removing a person erases
their bytes from the files. The package stands alone: it knows nothing of the application that uses it.

>>> import struct, tempfile
>>> from pathlib import Path
>>> from enrollment_db import FileKey, StoreError, open_store
>>> folder = tempfile.TemporaryDirectory()
>>> store = open_store(Path(folder.name) / "people.db", FileKey(Path(folder.name) / "key"))
>>> ada = store.add_person("Ada Lovelace")
>>> sample = store.add_sample(ada.id, "face", "0" * 64, "camera", "camera", {"score": 0.9})
>>> contract = dict(encoder="face", sha256="1" * 64, preprocessing="1", dimension=2, normalisation="l2")
>>> template = store.add_template(ada.id, sample.id, "face", contract, struct.pack("<2f", 0.6, 0.8))
>>> [found.person_id == ada.id for found in store.templates(template.contract_id)]
[True]
>>> store.remove_person(store.person("ada lovelace").id).erased
True
>>> try:
...     store.person("Ada Lovelace")
... except StoreError as error:
...     print(error.kind, error)
no_such_person Nobody called 'Ada Lovelace' is enrolled.
>>> store.close(); folder.cleanup()
"""

from enrollment_db.errors import ErrorKind, StoreError
from enrollment_db.keys import FileKey, KeyProvider, KeyringKey, PassphraseKey
from enrollment_db.records import (
    AuditEntry,
    Person,
    Removal,
    StoredCalibration,
    StoredContract,
    StoredSample,
    StoredTemplate,
)
from enrollment_db.store import Store, open_store, protection

__all__ = [
    "AuditEntry",
    "ErrorKind",
    "FileKey",
    "KeyProvider",
    "KeyringKey",
    "PassphraseKey",
    "Person",
    "Removal",
    "Store",
    "StoreError",
    "StoredCalibration",
    "StoredContract",
    "StoredSample",
    "StoredTemplate",
    "open_store",
    "protection",
]
