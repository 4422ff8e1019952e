"""The files of a job opened for reading: members of archives are unpacked to a scratch folder, one at a time."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from verify_app.reasons import ReasonCode, StateError, UnusableInput
from verify_app.services.batch.inventory import Item

MAX_MEMBER_BYTES = 512 << 20
"""A member of an archive that unpacks to more than this is refused: no photograph and no half hour of speech does."""
SCRATCH_NAME = "unpacked"


@contextmanager
def readable(item: Item, scratch: Path) -> Iterator[Path]:
    """The path of a file to read; a member of an archive lies in ``scratch`` for as long as the block lasts.

    Raises:
        UnusableInput: FILE_UNREADABLE for what is no regular file (a pipe would never end) and for members that
            cannot be unpacked, FILE_TOO_LARGE.
        StateError: STORAGE_FULL, when there is no room to unpack.
        OSError: the file is gone or may not be read.
    """
    if not item.member:
        path = Path(item.path)
        if not stat.S_ISREG(path.stat().st_mode):
            raise UnusableInput(ReasonCode.FILE_UNREADABLE, f"{item.name} is no regular file.", "Leave it out.")
        yield path
        return
    unpacked = _unpack(item, scratch)
    try:
        yield unpacked
    finally:
        unpacked.unlink(missing_ok=True)


@contextmanager
def scratch_folder(folder: Path) -> Iterator[Path]:
    """A folder for unpacked members inside the job's own; what a killed run left there is erased at both ends."""
    scratch = folder / SCRATCH_NAME
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _unpack(item: Item, scratch: Path) -> Path:
    unpacked: Path | None = None
    try:
        with zipfile.ZipFile(item.path) as archive, archive.open(item.member) as member:
            scratch.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=scratch, suffix=Path(item.member).suffix)
            unpacked = Path(name)
            with os.fdopen(handle, "wb") as target:
                written = 0
                while block := member.read(1 << 20):
                    # Counted here and not read from the archive's directory, which can say anything.
                    written += len(block)
                    if written > MAX_MEMBER_BYTES:
                        raise _too_large(item)
                    target.write(block)
        return unpacked
    except BaseException as error:  # noqa: BLE001 - raised again, explained where it can be
        if unpacked is not None:
            unpacked.unlink(missing_ok=True)
        raise _explained(error, item, scratch) from None


def _explained(error: BaseException, item: Item, scratch: Path) -> BaseException:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StateError(
            ReasonCode.STORAGE_FULL,
            f"There is no room to unpack {item.name} into {scratch}.",
            "Free some space and repeat the command: it goes on where it stopped.",
        )
    if isinstance(error, zipfile.BadZipFile | zlib.error | KeyError | RuntimeError | EOFError | ValueError):
        return UnusableInput(
            ReasonCode.FILE_UNREADABLE,
            f"{item.name} cannot be unpacked: {error}.",
            "Check the archive; encrypted archives must be unpacked first.",
        )
    return error


def _too_large(item: Item) -> UnusableInput:
    return UnusableInput(
        ReasonCode.FILE_TOO_LARGE,
        f"{item.name} unpacks to more than {MAX_MEMBER_BYTES >> 20} MiB.",
        "Unpack the archive first, if it is what it should be.",
    )
