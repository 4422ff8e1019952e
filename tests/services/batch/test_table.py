"""Results in memory: sorted and filtered as the file says, whole, and fast enough to feel so."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verify_app.reasons import StateError
from verify_app.services.batch import results
from verify_app.services.batch.rows import Row, RowDecision
from verify_app.services.batch.table import ResultTable, load_table


def job(folder: Path, rows: list[Row]) -> ResultTable:
    folder.mkdir(exist_ok=True)
    results.write_results(folder, rows, grouped=False, seen=lambda row: None)
    (folder / "summary.json").write_text(json.dumps({"kind": "verify", "groups": None}))
    return load_table(folder)


ROWS = [
    Row("b.jpg", "Ada", RowDecision.VERIFIED, 0.9, message="Verified."),
    Row("a.jpg", "Bruno", RowDecision.UNUSABLE, reason="no_face", message="No face."),
    Row("C.jpg", "Ada", RowDecision.NOT_VERIFIED, 0.1, message="Too low."),
]


def test_choosing_and_ordering(tmp_path: Path) -> None:
    table = job(tmp_path / "job", ROWS)
    assert table.decisions() == {"not_verified": 1, "unusable": 1, "verified": 1}
    assert table.chosen("ada").tolist() == [0, 2]
    assert table.chosen("NO_FACE").tolist() == [1]
    assert table.chosen("ada", "verified").tolist() == [0]
    assert table.chosen("nothing such").tolist() == []
    every = table.chosen()
    assert table.ordered(every, "file").tolist() == [1, 0, 2]
    assert table.ordered(every, "score").tolist() == [2, 0, 1]
    assert table.ordered(every, "score", descending=True).tolist() == [0, 2, 1]  # empty cells stay last


@given(st.lists(st.one_of(st.none(), st.floats(-1, 1)), min_size=1, max_size=30), st.booleans())
def test_ordering_loses_no_row(
    tmp_path_factory: pytest.TempPathFactory, scores: list[float | None], descending: bool
) -> None:
    rows = [Row(f"{number}.jpg", "", RowDecision.VERIFIED, score) for number, score in enumerate(scores)]
    table = job(tmp_path_factory.mktemp("table") / "job", rows)
    order = table.ordered(table.chosen(), "score", descending=descending)
    assert sorted(order) == list(range(len(scores)))
    present = [value for value in table.numbers["score"][order] if not np.isnan(value)]
    assert present == sorted(present, reverse=descending)


def test_without_results_there_is_a_reason(tmp_path: Path) -> None:
    with pytest.raises(StateError):
        load_table(tmp_path)
    job(tmp_path / "job", ROWS)
    (tmp_path / "job" / "summary.json").write_text("{torn")
    with pytest.raises(StateError, match=r"summary\.json"):
        load_table(tmp_path / "job")


def test_a_hundred_thousand_rows(tmp_path: Path) -> None:
    chance = np.random.default_rng(1)
    rows = [
        Row(f"folder/{number:06}.jpg", f"person-{number % 97}", RowDecision.VERIFIED, float(chance.random()))
        for number in range(100_000)
    ]
    table = job(tmp_path / "job", rows)
    every = table.chosen()
    seconds = []
    for action in (
        lambda: table.ordered(every, "score"),
        lambda: table.ordered(every, "file", descending=True),
        lambda: table.chosen("person-42"),
        lambda: table.chosen("", "verified"),
    ):
        began = time.process_time()
        action()
        seconds.append(time.process_time() - began)
    assert max(seconds) < 2, seconds
