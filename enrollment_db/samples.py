"""Samples and templates: what was captured of a person, and what encoders made of it."""

from __future__ import annotations

import base64
import json
import math
import re
import sqlite3
import struct
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from enrollment_db.errors import ErrorKind, StoreError, reading
from enrollment_db.people import People
from enrollment_db.records import Removal, StoredContract, StoredSample, StoredTemplate
from enrollment_db.vault import Cipher

NORM_TOLERANCE = 0.01


class Samples(People):
    """The part of a store that keeps samples and templates."""

    def add_sample(
        self,
        person_id: str,
        modality: str,
        sha256: str,
        source: str,
        device_class: str,
        quality: Mapping[str, Any],
        thumbnail: bytes | None = None,
    ) -> StoredSample:
        """Keep what is known of a sample of a person.

        Raises:
            StoreError: ``no_such_person``, or ``invalid`` for facts that make no sense.
        """
        modality = check_word(modality, "modality")
        if not re.fullmatch(r"[0-9a-f]{64}", sha256):
            raise StoreError(ErrorKind.INVALID, "The digest of the sample is not a hexadecimal SHA-256.")
        facts = {"sha256": sha256, "source": str(source), "device_class": str(device_class), "quality": dict(quality)}
        try:
            plain = json.dumps(facts, allow_nan=False).encode("ascii")
        except (TypeError, ValueError):
            raise StoreError(ErrorKind.INVALID, "The quality of the sample holds values that JSON cannot.") from None
        sample_id, created = str(uuid.uuid4()), datetime.now(UTC)
        with self._database.transaction():
            cipher = self._person_cipher(person_id)
            self._database.run(
                "INSERT INTO sample (id, person_id, modality, facts, thumbnail, created) VALUES (?, ?, ?, ?, ?, ?)",
                sample_id,
                person_id,
                modality,
                cipher.seal(plain, "sample", sample_id, person_id, modality),
                None if thumbnail is None else cipher.seal(bytes(thumbnail), "thumbnail", sample_id, person_id),
                created.isoformat(timespec="microseconds"),
            )
            self.append_audit("sample_added", person_id, {"sample": sample_id, "modality": modality})
            return self._sample(sample_id)

    def samples(self, person_id: str) -> list[StoredSample]:
        """The samples of a person, oldest first.

        Raises:
            StoreError: ``no_such_person``.
        """
        with self._database.transaction(write=False):
            cipher = self._person_cipher(person_id)
            rows = self._database.rows("SELECT * FROM sample WHERE person_id = ? ORDER BY created, id", person_id)
        return [_read_sample(row, cipher) for row in rows]

    def sample_counts(self) -> dict[str, dict[str, int]]:
        """How many samples of each modality each person has: ``{person id: {modality: count}}``."""
        counts: dict[str, dict[str, int]] = {}
        for row in self._database.rows("SELECT person_id, modality, count(*) AS n FROM sample GROUP BY 1, 2"):
            counts.setdefault(row["person_id"], {})[row["modality"]] = row["n"]
        return counts

    def remove_sample(self, sample_id: str) -> Removal:
        """Remove a sample and the templates made of it, and erase the bytes as :meth:`remove_person` does.

        Raises:
            StoreError: ``no_such_record``.
        """
        with self._database.transaction():
            person_id = self._database.value("SELECT person_id FROM sample WHERE id = ?", sample_id)
            if person_id is None:
                raise _no_such_sample(sample_id)
            self._database.run("DELETE FROM sample WHERE id = ?", sample_id)
            self.append_audit("sample_removed", person_id, {"sample": sample_id})
            self._erase_later()
        return Removal(sample_id, self._erase())

    def add_template(
        self, person_id: str, sample_id: str, modality: str, contract: Mapping[str, Any], vector: bytes
    ) -> StoredTemplate:
        """Keep a reference embedding of a sample.

        Args:
            contract: ``encoder``, ``sha256``, ``preprocessing``, ``dimension`` and ``normalisation``.
            vector: ``dimension`` little-endian float32 values.

        Raises:
            StoreError: ``contract_mismatch`` for a vector that is not what its contract says,
                ``no_such_person``, ``no_such_record`` for a sample that this person does not have in this
                modality, or ``invalid``.
        """
        modality = check_word(modality, "modality")
        stored = read_contract(contract)
        _check_vector(vector, stored)
        template_id, created = str(uuid.uuid4()), datetime.now(UTC)
        with self._database.transaction():
            cipher = self._person_cipher(person_id)
            sample = self._database.row("SELECT person_id, modality FROM sample WHERE id = ?", sample_id)
            if sample is None or (sample["person_id"], sample["modality"]) != (person_id, modality):
                raise _no_such_sample(sample_id)
            self._keep_contract(stored)
            self._database.run(
                "INSERT INTO template (id, person_id, sample_id, modality, contract_id, vector, created) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                template_id,
                person_id,
                sample_id,
                modality,
                stored.id,
                cipher.seal(bytes(vector), "template", template_id, person_id, sample_id, modality, stored.id),
                created.isoformat(timespec="microseconds"),
            )
            self.append_audit("template_added", person_id, {"sample": sample_id, "contract": stored.id})
        return StoredTemplate(template_id, person_id, sample_id, modality, stored.id, bytes(vector), created)

    def templates(self, contract_id: str, person_id: str | None = None) -> list[StoredTemplate]:
        """The templates under one contract, of everybody or of one person; no other contract mixes in.

        Ordered by person, then by age.

        Raises:
            StoreError: ``corrupt`` for a template that was changed or moved, naming it.
        """
        only = "" if person_id is None else "AND template.person_id = ? "
        parameters = () if person_id is None else (person_id,)
        rows = self._database.rows(
            "SELECT template.*, person.key FROM template "  # noqa: S608 - no outside text in it
            "JOIN person ON person.id = template.person_id "
            f"WHERE template.contract_id = ? {only}ORDER BY template.person_id, template.created, template.id",
            contract_id,
            *parameters,
        )
        ciphers: dict[str, Cipher] = {}
        found = []
        for row in rows:
            owner = row["person_id"]
            if owner not in ciphers:
                ciphers[owner] = self._vault.person_cipher(owner, row["key"])
            found.append(_read_template(row, ciphers[owner]))
        return found

    def template_contracts(self, person_id: str) -> set[str]:
        """The ids of the contracts that a person has templates under.

        Raises:
            StoreError: ``no_such_person``.
        """
        with self._database.transaction(write=False):
            self._person_cipher(person_id)
            rows = self._database.rows("SELECT DISTINCT contract_id FROM template WHERE person_id = ?", person_id)
        return {row["contract_id"] for row in rows}

    def contracts(self) -> list[StoredContract]:
        """Every contract that some template was ever kept under, ordered by id."""
        rows = self._database.rows("SELECT * FROM contract ORDER BY id")
        return [StoredContract(**dict(row)) for row in rows]

    def export_person(self, person_id: str) -> dict[str, Any]:
        """Everything the store holds about a person, ready for JSON; bytes in base64. The export is logged.

        Raises:
            StoreError: ``no_such_person``.
        """
        with self._database.transaction():
            person = self.person(person_id)
            templates = [
                template
                for contract_id in sorted(self.template_contracts(person.id))
                for template in self.templates(contract_id, person.id)
            ]
            self.append_audit("person_exported", person.id)
            return {
                "person": {"id": person.id, "name": person.name, "created": person.created.isoformat()},
                "samples": [
                    {
                        "id": sample.id,
                        "modality": sample.modality,
                        "sha256": sample.sha256,
                        "source": sample.source,
                        "device_class": sample.device_class,
                        "quality": dict(sample.quality),
                        "thumbnail": None if sample.thumbnail is None else _base64(sample.thumbnail),
                        "created": sample.created.isoformat(),
                    }
                    for sample in self.samples(person.id)
                ],
                "templates": [
                    {
                        "id": template.id,
                        "sample": template.sample_id,
                        "modality": template.modality,
                        "contract": template.contract_id,
                        "vector": _base64(template.vector),
                        "created": template.created.isoformat(),
                    }
                    for template in templates
                ],
                "audit": [
                    {"number": e.number, "at": e.at.isoformat(), "event": e.event, "details": dict(e.details)}
                    for e in reversed(self.audit(-1, subject_id=person.id))
                ],
            }

    def _sample(self, sample_id: str) -> StoredSample:
        row = self._database.row("SELECT * FROM sample WHERE id = ?", sample_id)
        if row is None:
            raise _no_such_sample(sample_id)
        return _read_sample(row, self._person_cipher(row["person_id"]))

    def _keep_contract(self, contract: StoredContract) -> None:
        self._database.run(
            "INSERT INTO contract (id, encoder, sha256, preprocessing, dimension, normalisation) "
            "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
            contract.id,
            contract.encoder,
            contract.sha256,
            contract.preprocessing,
            contract.dimension,
            contract.normalisation,
        )


def read_contract(contract: Mapping[str, Any]) -> StoredContract:
    """A contract from its five parts; its id joins them with slashes.

    Raises:
        StoreError: ``invalid`` when a part is missing or makes no sense.
    """
    try:
        texts = [str(contract[part]) for part in ("encoder", "sha256", "preprocessing", "normalisation")]
        dimension = contract["dimension"]
    except KeyError as error:
        raise StoreError(ErrorKind.INVALID, f"The contract of the template lacks {error.args[0]!r}.") from None
    whole = isinstance(dimension, int) and not isinstance(dimension, bool)
    if any(not text or "/" in text for text in texts) or not whole or dimension < 1:
        raise StoreError(ErrorKind.INVALID, "The contract of the template holds an unusable value.")
    encoder, sha256, preprocessing, normalisation = texts
    contract_id = f"{encoder}/{sha256}/{preprocessing}/{dimension}/{normalisation}"
    return StoredContract(contract_id, encoder, sha256, preprocessing, dimension, normalisation)


def check_word(text: str, what: str) -> str:
    """A plain lower-case word, as modalities are.

    Raises:
        StoreError: ``invalid``.
    """
    if not re.fullmatch(r"[a-z][a-z_]{0,31}", text):
        raise StoreError(ErrorKind.INVALID, f"{text!r} is not a {what}.")
    return str(text)


def _check_vector(vector: bytes, contract: StoredContract) -> None:
    if len(vector) != 4 * contract.dimension:
        raise StoreError(
            ErrorKind.CONTRACT_MISMATCH,
            f"The template has {len(vector)} bytes, but {contract.dimension} float32 values of encoder "
            f"{contract.encoder!r} take {4 * contract.dimension}.",
            "Enrol with the model that the contract names.",
        )
    norm = math.sqrt(sum(value * value for value in struct.unpack(f"<{contract.dimension}f", vector)))
    if not math.isfinite(norm) or (contract.normalisation == "l2" and abs(norm - 1) > NORM_TOLERANCE):
        raise StoreError(
            ErrorKind.CONTRACT_MISMATCH,
            f"The template has a norm of {norm:.3g}, which encoder {contract.encoder!r} does not give.",
            "Check the model and capture the sample again.",
        )


def _read_sample(row: sqlite3.Row, cipher: Cipher) -> StoredSample:
    sample_id, person_id, modality = row["id"], row["person_id"], row["modality"]
    facts = cipher.open(row["facts"], "sample", sample_id, person_id, modality)
    sealed = row["thumbnail"]
    thumbnail = None if sealed is None else cipher.open(sealed, "thumbnail", sample_id, person_id)
    with reading("sample", sample_id):
        created = datetime.fromisoformat(row["created"])
        return StoredSample(
            id=sample_id,
            person_id=person_id,
            modality=modality,
            thumbnail=thumbnail,
            created=created,
            **json.loads(facts),
        )


def _read_template(row: sqlite3.Row, cipher: Cipher) -> StoredTemplate:
    binding = (row["id"], row["person_id"], row["sample_id"], row["modality"], row["contract_id"])
    vector = cipher.open(row["vector"], "template", *binding)
    with reading("template", row["id"]):
        return StoredTemplate(*binding, vector, datetime.fromisoformat(row["created"]))


def _no_such_sample(sample_id: str) -> StoreError:
    return StoreError(ErrorKind.NO_SUCH_RECORD, f"There is no such sample of this person: {sample_id}.")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
