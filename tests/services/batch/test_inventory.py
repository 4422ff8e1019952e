"""Which files a job finds, in which order, and what it says of tables it cannot use."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verify_app.reasons import ReasonCode, UnusableInput, UsageError
from verify_app.services.batch.claims import claim_rule
from verify_app.services.batch.inventory import list_items, read_claims, read_pairs


def names(source: Path, *patterns: str) -> list[str]:
    return [item.name for item in list_items(source, patterns)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b/2.jpg", "a/1.jpg", "a/10.jpg", "z.wav", ".hidden/x.jpg", "a/.DS_Store", "名前/写真.png"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path / "in"


def test_files_come_recursively_in_one_order_without_hidden_ones(folder: Path) -> None:
    assert names(folder) == ["a/1.jpg", "a/10.jpg", "b/2.jpg", "z.wav", "名前/写真.png"]


def test_patterns_choose_by_file_name(folder: Path) -> None:
    assert names(folder, "*.jpg", "*.png") == ["a/1.jpg", "a/10.jpg", "b/2.jpg", "名前/写真.png"]


def test_link_loops_end(folder: Path) -> None:
    (folder / "a" / "loop").symlink_to(folder, target_is_directory=True)
    assert len(names(folder)) == 5


def test_members_of_archives_are_files_of_the_job(folder: Path) -> None:
    with zipfile.ZipFile(folder / "more.zip", "w") as archive:
        archive.writestr("ada/2.jpg", b"x")
        archive.writestr("ada/1.jpg", b"x")
    assert [name for name in names(folder) if "zip" in name] == ["more.zip!ada/1.jpg", "more.zip!ada/2.jpg"]


def test_a_damaged_archive_stays_in_the_list(folder: Path) -> None:
    (folder / "broken.zip").write_bytes(b"PK no")
    assert "broken.zip" in names(folder)


def test_a_single_file_is_a_job_too(folder: Path) -> None:
    assert names(folder / "z.wav") == ["z.wav"]


def test_a_missing_source_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        names(tmp_path / "nowhere")
    assert caught.value.reason.code is ReasonCode.FILE_NOT_FOUND


def test_names_that_are_not_unicode_are_listed(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.jpg")).write_bytes(b"x")
    assert [os.fsencode(name) for name in names(tmp_path)] == [b"caf\xe9.jpg"]


@pytest.mark.parametrize(
    ("rule", "name", "claim"),
    [
        ("folder", "ada/1.jpg", "ada"),
        ("folder", "x/bruno/1.jpg", "bruno"),
        ("folder", "1.jpg", ""),
        ("folder", "people.zip!chiara/1.jpg", "chiara"),
        (r"name:^([^_]+)_", "deep/ada_03.jpg", "ada"),
        (r"name:[A-Z][a-z]+", "x-Ada-1.jpg", "Ada"),
        (r"name:^(\d+)", "ada.jpg", ""),
    ],
)
def test_claims(rule: str, name: str, claim: str) -> None:
    assert claim_rule(rule)(name) == claim


@pytest.mark.parametrize("rule", ["", "name:", "csv:", "name:(", "anything"])
def test_claim_rules_that_make_no_sense(rule: str) -> None:
    with pytest.raises(UsageError):
        claim_rule(rule)


def test_claims_from_a_table(tmp_path: Path) -> None:
    table = tmp_path / "claims.csv"
    table.write_text("claim,file\nAda,a/1.jpg\n", encoding="utf-8-sig")
    assert read_claims(table) == {"a/1.jpg": "Ada"}
    assert claim_rule(f"csv:{table}")("b.jpg") == ""


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("reference\na.jpg\n", "line 1"),
        ("reference,probe\na.jpg,\n", "line 2"),
        ("reference,probe\n", "no rows"),
        ("", "line 1"),
    ],
)
def test_bad_tables_are_named_with_their_line(tmp_path: Path, text: str, where: str) -> None:
    table = tmp_path / "pairs.csv"
    table.write_text(text)
    with pytest.raises(UnusableInput, match=where) as caught:
        read_pairs(table)
    assert caught.value.reason.code is ReasonCode.TABLE_INVALID


@given(st.binary(max_size=200))
def test_no_table_breaks_the_reader(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    table = tmp_path_factory.mktemp("tables") / "t.csv"
    table.write_bytes(content)
    try:
        pairs = read_pairs(table)
    except UnusableInput as error:
        assert str(table) in str(error)  # noqa: PT017 - either outcome is fine, a traceback is not
    else:
        assert pairs


def test_hidden_members_of_archives_are_left_out(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("b.jpg", "a/c.jpg", ".d.jpg", "__MACOSX/._b.jpg", "a/.e/f.jpg"):
            archive.writestr(name, b"x")
    assert names(tmp_path) == ["a.zip!a/c.jpg", "a.zip!b.jpg"]
