"""Tables of trials: what is read, and the line and column of every mistake."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verify_app.reasons import ReasonCode, UnusableInput
from verify_app.services.trial_table import read_trials


def _table(folder: Path, text: str | bytes) -> Path:
    file = folder / "trials.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return file


def test_a_table_with_everything(tmp_path: Path) -> None:
    text = "\ufeffmated, Reference,probe,fold,group,note\n1,a.jpg; b.jpg,c.jpg,0,x,hm\n\nNo,a.jpg,d.jpg,1,y,\n"

    table = read_trials(_table(tmp_path, text))

    first, second = table.trials
    assert (first.references, first.probe, first.mated) == (("a.jpg", "b.jpg"), "c.jpg", True)
    assert (second.references, second.mated, second.extra) == (("a.jpg",), False, {"fold": "1", "group": "y"})
    assert table.columns == ("fold", "group")
    assert table.files() == ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("reference,probe\na,b\n", ["line 1", "mated"]),
        ("reference;probe;mated\na;b;1\n", ["line 1", "reference"]),
        ("reference,probe,mated,mated\n", ["line 1", "mated", "twice"]),
        ("reference,probe,mated\na,b,1\nc,d,maybe\n", ["line 3", "mated", "maybe"]),
        ("reference,probe,mated\na,,1\n", ["line 2", "probe"]),
        ("reference,probe,mated\n;,b,1\n", ["line 2", "reference"]),
        ("reference,probe,mated\na,b\n", ["line 2", "mated"]),
        ('reference,probe,mated\n"a,b,1\n', ["line"]),
        ("reference,probe,mated\n", ["no trials"]),
        ("reference,probe,mated\na\xe9,b,1\n".encode("latin-1"), ["UTF-8"]),
    ],
)
def test_a_mistake_names_line_and_column(tmp_path: Path, text: str | bytes, named: list[str]) -> None:
    file = _table(tmp_path, text)

    with pytest.raises(UnusableInput) as refusal:
        read_trials(file)

    assert refusal.value.reason.code is ReasonCode.TABLE_INVALID
    assert all(word in refusal.value.reason.message for word in [str(file), *named])
    assert refusal.value.reason.advice


def test_no_table_and_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(UnusableInput) as missing:
        read_trials(tmp_path / "nothing.csv")
    with pytest.raises(UnusableInput) as empty:
        read_trials(_table(tmp_path, b""))
    with pytest.raises(UnusableInput) as folder:
        read_trials(tmp_path)

    assert missing.value.reason.code is ReasonCode.FILE_NOT_FOUND
    assert empty.value.reason.code is ReasonCode.FILE_EMPTY
    assert folder.value.reason.code is ReasonCode.FILE_UNREADABLE


_name = st.text(st.characters(exclude_characters=";", exclude_categories=("C", "Z")), min_size=1)


@given(st.lists(st.tuples(st.lists(_name, min_size=1, max_size=3), _name, st.booleans()), min_size=1, max_size=8))
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[list[str], str, bool]]
) -> None:
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(["reference", "probe", "mated"])
    writer.writerows([";".join(references), probe, int(mated)] for references, probe, mated in rows)

    table = read_trials(_table(tmp_path_factory.mktemp("table"), stream.getvalue()))

    assert [(list(one.references), one.probe, one.mated) for one in table.trials] == rows
