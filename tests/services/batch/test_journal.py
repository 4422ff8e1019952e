"""The journal remembers what is done, keeps other jobs and other processes out, and survives odd names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from verify_app.domain import Modality
from verify_app.reasons import Reason, ReasonCode, StateError
from verify_app.services.batch.inventory import Item
from verify_app.services.batch.journal import JOURNAL_NAME, Journal, Outcome
from verify_app.services.batch.spec import JobKind, JobSpec

SPEC = JobSpec(JobKind.VERIFY, Modality.FACE, ("/in",), claim="folder")
ITEMS = [Item(f"{number:05}.jpg", f"/in/{number:05}.jpg", claim="Ada") for number in range(2500)]
REASON = Reason(ReasonCode.NO_FACE, "No face.", "Try another.")


def test_outcomes_come_back_in_order_and_only_open_ones_when_asked(tmp_path: Path) -> None:
    with Journal(tmp_path, SPEC) as journal:
        assert not journal.listed
        assert journal.list_items(ITEMS) == 2500
        journal.record([Outcome(7, ITEMS[7], "ab", None), Outcome(3, ITEMS[3], None, REASON)])
    with Journal(tmp_path, SPEC) as journal:
        assert journal.listed
        assert journal.done() == 2
        outcomes = list(journal.outcomes())
        assert [outcome.item for outcome in outcomes] == ITEMS
        assert outcomes[7].usable
        assert outcomes[3].reason == REASON
        assert not outcomes[3].usable
        assert [outcome.number for outcome in journal.outcomes(open_only=True)][:4] == [0, 1, 2, 4]


def test_a_folder_of_another_job_is_refused_and_left_alone(tmp_path: Path) -> None:
    with Journal(tmp_path, SPEC) as journal:
        journal.list_items(ITEMS[:3])
    other = JobSpec(JobKind.GROUP, Modality.FACE, ("/in",))
    with pytest.raises(StateError, match="another job") as caught:
        Journal(tmp_path, other)
    assert caught.value.reason.code is ReasonCode.JOB_MISMATCH
    with Journal(tmp_path, SPEC) as journal:
        assert journal.count() == 3


def test_two_runs_never_share_a_folder(tmp_path: Path) -> None:
    with Journal(tmp_path, SPEC), pytest.raises(StateError) as caught:
        Journal(tmp_path, SPEC)
    assert caught.value.reason.code is ReasonCode.DATABASE_LOCKED


def test_a_foreign_file_in_the_place_of_the_journal_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / JOURNAL_NAME
    path.write_bytes(b"not a database, but somebody's notes " * 50)
    with pytest.raises(StateError):
        Journal(tmp_path, SPEC)
    assert path.read_bytes().startswith(b"not a database")


def test_listing_is_all_or_nothing(tmp_path: Path) -> None:
    def broken() -> object:
        yield ITEMS[0]
        raise RuntimeError

    with Journal(tmp_path, SPEC) as journal:
        with pytest.raises(RuntimeError):
            journal.list_items(broken())  # type: ignore[arg-type]
        assert not journal.listed
        assert journal.count() == 0


def test_names_that_are_not_unicode_survive(tmp_path: Path) -> None:
    odd = Item(os.fsdecode(b"caf\xe9.jpg"), os.fsdecode(b"/in/caf\xe9.jpg"))
    with Journal(tmp_path, SPEC) as journal:
        journal.list_items([odd])
        assert next(journal.outcomes()).item == odd


def test_the_threshold_is_not_part_of_the_job_but_the_options_that_shape_embeddings_are() -> None:
    assert (
        JobSpec(JobKind.GROUP, Modality.FACE, ("/in",)).digest == JobSpec(JobKind.GROUP, Modality.FACE, ("/in",)).digest
    )
    gated, free = (JobSpec(JobKind.GROUP, Modality.FACE, ("/in",), gates=gates) for gates in (True, False))
    assert gated.digest != free.digest
    assert gated.analysis_digest != free.analysis_digest
    cross = JobSpec(JobKind.CROSS, Modality.FACE, ("/in", "/other"))
    assert cross.analysis_digest == gated.analysis_digest
