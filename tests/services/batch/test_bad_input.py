"""Whatever a folder holds: a bad file is a row with its reason, the job goes on, and nothing is lost."""

from __future__ import annotations

import csv
import os
import resource
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import pytest

from tests.services.batch.conftest import picture
from verify_app.domain import Modality
from verify_app.reasons import ReasonCode, StateError
from verify_app.services.application import Application
from verify_app.services.batch import unpack
from verify_app.services.batch.exports import sort_files
from verify_app.services.batch.results import append_line
from verify_app.services.batch.run import SCORING, run_batch
from verify_app.services.batch.spec import JobKind, JobSpec
from verify_app.services.batch.table import read_summary

posix = pytest.mark.skipif(sys.platform == "win32", reason="files of this kind exist on POSIX systems alone")


def spec_of(*sources: Path, kind: JobKind = JobKind.DUPLICATES, **options: object) -> JobSpec:
    return JobSpec.of(kind, Modality.FACE, list(sources), **{"gates": False, "aligned": True, **options})


def reasons(out: Path) -> dict[str, str]:
    """Reason of every file that cannot be used."""
    with (out / "results.csv").open(encoding="utf-8", newline="") as opened:
        return {row["file"]: row["reason"] for row in csv.DictReader(opened) if row["decision"] == "unusable"}


def files(out: Path) -> set[str]:
    """Every file the results name."""
    with (out / "results.csv").open(encoding="utf-8", newline="") as opened:
        return {row["file"] for row in csv.DictReader(opened)}


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises this many pixels and holds none of them."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


@posix
def test_a_folder_of_everything_that_can_be_wrong(app: Application, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    good = picture(folder / "a" / "good.png", 1)
    (folder / "copy.png").write_bytes(good.read_bytes())
    (folder / "empty.png").write_bytes(b"")
    (folder / "cut.png").write_bytes(good.read_bytes()[:200])
    (folder / "text.jpg").write_text("not a picture")
    (folder / "noise.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\x07" * 500)
    (folder / "huge.png").write_bytes(png_header(100_000, 100_000))
    os.mkfifo(folder / "pipe.png")
    (folder / "gone.png").symlink_to(folder / "nowhere.png")
    (folder / "self.png").symlink_to(folder / "self.png")
    (folder / "a" / "loop").symlink_to(folder, target_is_directory=True)
    (folder / "broken.zip").write_bytes(b"PK\x03\x04 and no more")
    picture(folder / "名前" / "Ünïcödé مرحبا.png", 2)
    (folder / os.fsdecode(b"caf\xe9.png")).write_bytes(good.read_bytes())
    out = tmp_path / "out"
    result = run_batch(app, spec_of(folder), out)
    assert reasons(out) == {
        "empty.png": "file_empty",
        "cut.png": "file_truncated",
        "text.jpg": "format_unsupported",
        "noise.png": reasons(out)["noise.png"],
        "huge.png": "image_too_large",
        "pipe.png": "file_unreadable",
        "gone.png": "file_not_found",
        "self.png": "file_unreadable",
        "broken.zip": "format_unsupported",
    }
    assert reasons(out)["noise.png"] in ("file_unreadable", "file_truncated", "format_unsupported", "image_too_large")
    assert result.summary["exit_code"] == 3
    # Good, its copy and the one with the odd name match; textures are no faces, so the fourth may match them too.
    assert result.summary["decisions"]["matched"] in (3, 6)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the administrator may read everything")
def test_files_and_folders_that_may_not_be_read(app: Application, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    picture(folder / "good.png", 1)
    picture(folder / "closed.png", 2).chmod(0)
    picture(folder / "shut" / "x.png", 3).parent.chmod(0)
    try:
        run_batch(app, spec_of(folder, kind=JobKind.GROUP), tmp_path / "out")
        assert reasons(tmp_path / "out") == {"closed.png": "file_unreadable"}
    finally:
        (folder / "shut").chmod(0o700)


@posix
def test_a_folder_that_cannot_be_written_is_read_all_the_same(app: Application, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    picture(folder / "good.png", 1)
    folder.chmod(0o500)
    try:
        result = run_batch(app, spec_of(folder, kind=JobKind.GROUP), tmp_path / "out")
        assert result.summary["decisions"] == {"single": 1}
        assert [one.name for one in folder.iterdir()] == ["good.png"]
    finally:
        folder.chmod(0o700)


def test_files_that_vanish_while_the_job_runs(app: Application, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    for number in range(60):
        picture(folder / f"{number:02}.png", number)

    def progress(done: int, _total: int, message: str = "") -> None:
        if done == 1 and message != SCORING:
            for number in range(40, 60):
                (folder / f"{number:02}.png").unlink()

    run_batch(app, spec_of(folder, kind=JobKind.GROUP), tmp_path / "out", workers=1, progress=progress)
    assert reasons(tmp_path / "out") == {f"{number:02}.png": "file_not_found" for number in range(40, 60)}
    assert len(files(tmp_path / "out")) == 60


def test_archives_that_unpack_to_too_much_or_not_at_all(
    app: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpack, "MAX_MEMBER_BYTES", 3 << 20)
    good = picture(tmp_path / "good.png", 1)
    with zipfile.ZipFile(tmp_path / "in.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(good, "a/good.png")
        archive.writestr("bomb.png", good.read_bytes() + b"\0" * (8 << 20))
        archive.writestr("damaged.png", os.urandom(4000))
    content = bytearray((tmp_path / "in.zip").read_bytes())
    at = content.index(b"damaged.png") + len("damaged.png")
    content[at + 100 : at + 140] = b"\0" * 40
    (tmp_path / "in.zip").write_bytes(content)
    run_batch(app, spec_of(tmp_path / "in.zip", kind=JobKind.GROUP), tmp_path / "out")
    assert reasons(tmp_path / "out") == {"in.zip!bomb.png": "file_too_large", "in.zip!damaged.png": "file_unreadable"}
    assert "in.zip!a/good.png" in files(tmp_path / "out")
    assert not (tmp_path / "out" / unpack.SCRATCH_NAME).exists()


def test_what_a_killed_job_left_unpacked_is_erased(app: Application, tmp_path: Path) -> None:
    left = tmp_path / "out" / unpack.SCRATCH_NAME / "face.png"
    picture(left, 1)
    run_batch(app, spec_of(picture(tmp_path / "in" / "a.png", 2).parent, kind=JobKind.GROUP), tmp_path / "out")
    assert not left.exists()


@posix
def test_a_full_disk_stops_the_job_which_goes_on_once_there_is_room(pictures: Path, tmp_path: Path) -> None:
    """The process may write no file larger than so many bytes: what the system then says is what a full disk says."""

    def run(limit: int | None) -> subprocess.CompletedProcess[str]:
        def before() -> None:
            if limit is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        return subprocess.run(
            [sys.executable, "-m", "verify_app", "batch", "duplicates", str(pictures), "--aligned",
             "--no-quality-gates", "--out", str(tmp_path / "out")],
            env={**os.environ, "VERIFY_APP_HOME": str(tmp_path / "home"), "VERIFY_APP_PASSPHRASE": ""},
            capture_output=True, text=True, timeout=300, preexec_fn=before, check=False,
        )  # fmt: skip

    full = run(12_000)
    assert full.returncode == 4, full.stderr
    assert "Traceback" not in full.stderr
    assert not (tmp_path / "out" / "results.csv").exists()
    assert run(None).returncode == 3
    assert len(reasons(tmp_path / "out")) == 3


def test_an_output_folder_that_cannot_be_made(app: Application, tmp_path: Path) -> None:
    folder = picture(tmp_path / "in" / "a.png", 1).parent
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StateError) as caught:
        run_batch(app, spec_of(folder), tmp_path / "file" / "out")
    assert caught.value.reason.code is ReasonCode.STORAGE_FULL


@posix
def test_an_answer_that_does_not_fit_leaves_the_others_as_they_were(tmp_path: Path) -> None:
    """The process may write no file larger than so many bytes: what the system then says is what a full disk says."""
    path = tmp_path / "answers.csv"
    append_line(path, "a,b", heading="x,y")
    before, former = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    assert before == b"x,y\na,b\n"
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 10, former[1]))
    try:
        with pytest.raises(StateError) as caught:
            append_line(path, "c" * 30)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)
    assert caught.value.reason.code is ReasonCode.STORAGE_FULL
    assert path.read_bytes() == before
    append_line(path, "c,d", heading="x,y")
    assert path.read_bytes() == before + b"c,d\n"


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are text on this system")
def test_names_that_are_no_text_are_kept_apart_and_found_again(app: Application, tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"odd\xff")
    content = picture(tmp_path / "good.png", 1).read_bytes()
    folder.mkdir()
    for name in (b"caf\xe9.png", b"caf\xea.png"):
        (folder / os.fsdecode(name)).write_bytes(content)
    out = tmp_path / "out"
    for _ in range(2):  # the same job is known again
        result = run_batch(app, spec_of(folder, kind=JobKind.GROUP), out)
    assert files(out) == {"caf\\udce9.png", "caf\\udcea.png"}
    sources = tuple(read_summary(out)["sources"])
    assert sources == (str(folder),)
    assert sort_files(out, sources, tmp_path / "sorted", link=False) == 2
    assert {os.fsencode(one.name) for one in (tmp_path / "sorted" / "group-0001").iterdir()} == {
        b"caf\xe9.png", b"caf\xea.png",
    }  # fmt: skip
    assert result.summary["decisions"] == {"grouped": 2}
