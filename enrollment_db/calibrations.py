"""Calibrations: what turns scores into decisions, kept as sealed JSON."""

from __future__ import annotations

import sqlite3
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from json import loads

from enrollment_db.audit import AuditLog
from enrollment_db.errors import ErrorKind, StoreError, reading
from enrollment_db.records import StoredCalibration
from enrollment_db.samples import check_word


class Calibrations(AuditLog):
    """The part of a store that keeps calibrations."""

    def save_calibration(
        self,
        json: str,
        name: str,
        modality: str,
        contract_id: str,
        active: bool = False,
        references: int | None = None,
    ) -> StoredCalibration:
        """Keep a calibration, beside those that are there.

        Args:
            json: a JSON object, returned as it was given.
            active: use it from now on for its modality, contract and number of references.
            references: how many reference embeddings its scores were made with; by default what the
                JSON says under ``"references"``, else 1.

        Raises:
            StoreError: ``invalid``.
        """
        modality = check_word(modality, "modality")
        count = _check_json(json, references)
        if not name.strip() or not contract_id:
            raise StoreError(ErrorKind.INVALID, "A calibration needs a name and a contract.")
        calibration = StoredCalibration(
            str(uuid.uuid4()), name.strip(), modality, contract_id, count, active, json, datetime.now(UTC)
        )
        with self._database.transaction():
            if active:
                self._deactivate(modality, contract_id, count)
            self._database.run(
                "INSERT INTO calibration (id, name, modality, contract_id, reference_count, active, document, created) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                calibration.id,
                calibration.name,
                modality,
                contract_id,
                count,
                int(active),
                self._vault.store_cipher.seal(json.encode("utf-8"), *_binding(calibration)),
                calibration.created.isoformat(timespec="microseconds"),
            )
            self.append_audit("calibration_saved", None, {"calibration": calibration.id, "active": active})
        return calibration

    def calibrations(self) -> list[StoredCalibration]:
        """All calibrations, newest first."""
        rows = self._database.rows("SELECT * FROM calibration ORDER BY created DESC, id")
        return [self._read_calibration(row) for row in rows]

    def calibration(self, calibration_id: str) -> StoredCalibration:
        """One calibration.

        Raises:
            StoreError: ``no_such_record``.
        """
        row = self._database.row("SELECT * FROM calibration WHERE id = ?", calibration_id)
        if row is None:
            raise StoreError(ErrorKind.NO_SUCH_RECORD, f"There is no calibration {calibration_id}.")
        return self._read_calibration(row)

    def active_calibration(self, modality: str, contract_id: str, references: int = 1) -> StoredCalibration | None:
        """The calibration in use for at most that many references, the nearest first; None without one."""
        row = self._database.row(
            "SELECT * FROM calibration WHERE active = 1 AND modality = ? AND contract_id = ? AND reference_count <= ? "
            "ORDER BY reference_count DESC LIMIT 1",
            str(modality),
            contract_id,
            references,
        )
        return None if row is None else self._read_calibration(row)

    def use_calibration(self, calibration_id: str) -> StoredCalibration:
        """Put a calibration to use, in place of the one in use for its modality, contract and references.

        Raises:
            StoreError: ``no_such_record``.
        """
        with self._database.transaction():
            found = self.calibration(calibration_id)
            self._deactivate(found.modality, found.contract_id, found.references)
            self._database.run("UPDATE calibration SET active = 1 WHERE id = ?", calibration_id)
            self.append_audit("calibration_used", None, {"calibration": calibration_id})
            return self.calibration(calibration_id)

    def remove_calibration(self, calibration_id: str) -> None:
        """Remove a calibration; when it was in use, none is.

        Raises:
            StoreError: ``no_such_record``.
        """
        with self._database.transaction():
            self.calibration(calibration_id)
            self._database.run("DELETE FROM calibration WHERE id = ?", calibration_id)
            self.append_audit("calibration_removed", None, {"calibration": calibration_id})

    def _deactivate(self, modality: str, contract_id: str, references: int) -> None:
        self._database.run(
            "UPDATE calibration SET active = 0 WHERE modality = ? AND contract_id = ? AND reference_count = ?",
            modality,
            contract_id,
            references,
        )

    def _read_calibration(self, row: sqlite3.Row) -> StoredCalibration:
        with reading("calibration", row["id"]):
            calibration = StoredCalibration(
                id=row["id"],
                name=row["name"],
                modality=row["modality"],
                contract_id=row["contract_id"],
                references=row["reference_count"],
                active=bool(row["active"]),
                json="",
                created=datetime.fromisoformat(row["created"]),
            )
            json = self._vault.store_cipher.open(row["document"], *_binding(calibration)).decode("utf-8")
            return replace(calibration, json=json)


def _binding(calibration: StoredCalibration) -> tuple[str, ...]:
    return (
        "calibration",
        calibration.id,
        calibration.name,
        calibration.modality,
        calibration.contract_id,
        str(calibration.references),
    )


def _check_json(json: str, references: int | None) -> int:
    try:
        json.encode("utf-8")  # text with stray surrogates is no JSON either
        content = loads(json)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise StoreError(ErrorKind.INVALID, "The calibration is not a JSON object.")
    count = content.get("references", 1) if references is None else references
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise StoreError(ErrorKind.INVALID, "The calibration names no usable number of references.")
    return count
