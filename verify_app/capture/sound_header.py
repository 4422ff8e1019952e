"""Whether a recording is whole: containers name their lengths, decoders do not check them."""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

_STREAMED = (0, 0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000)  # lengths that writers leave when they cannot go back


def is_truncated(file: BinaryIO, kind: str) -> bool:
    """Whether the file ends before its own structure says.

    Args:
        file: opened for reading, at any position; must be seekable.
        kind: format name of :mod:`verify_app.capture.content`.
    """
    size = file.seek(0, os.SEEK_END)
    check = {"wav": _riff, "aiff": _aiff, "au": _au, "ogg": _ogg, "mp4": _boxes, "mov": _boxes, "avi": _riff_outer}
    check["w64"] = _w64
    try:
        return kind in check and check[kind](file, size)
    except struct.error:
        return True


def _unpack(file: BinaryIO, position: int, layout: str) -> tuple[int, ...]:
    file.seek(position)
    return struct.unpack(layout, file.read(struct.calcsize(layout)))


def _riff(file: BinaryIO, size: int) -> bool:
    file.seek(0)
    order = ">" if file.read(4) == b"RIFX" else "<"
    position, wide = 12, 0
    while position + 8 <= size:
        file.seek(position)
        name = file.read(4)
        length = _unpack(file, position + 4, order + "I")[0]
        if name == b"ds64":
            wide = _unpack(file, position + 16, "<Q")[0]
        if name == b"data":
            length = wide if length == 0xFFFFFFFF and wide else length
            return length not in _STREAMED and position + 8 + length > size
        position += 8 + length + (length & 1)
    return True


def _riff_outer(file: BinaryIO, size: int) -> bool:
    length = _unpack(file, 4, "<I")[0]
    return length not in _STREAMED and 8 + length > size + 1


def _w64(file: BinaryIO, size: int) -> bool:
    return _unpack(file, 16, "<Q")[0] > size


def _aiff(file: BinaryIO, size: int) -> bool:
    return 8 + _unpack(file, 4, ">I")[0] > size + 1


def _au(file: BinaryIO, size: int) -> bool:
    start, length = _unpack(file, 4, ">II")
    return length not in _STREAMED and start + length > size


def _ogg(file: BinaryIO, size: int) -> bool:
    """Whether the last page reaches beyond the end (RFC 3533)."""
    start = max(0, size - (65307 + 27))
    file.seek(start)
    tail = file.read()
    found = tail.rfind(b"OggS")
    if found < 0:
        return True
    page = tail[found:]
    if len(page) < 27:
        return True
    table = page[27 : 27 + page[26]]
    return 27 + page[26] + sum(table) > len(page)


def _boxes(file: BinaryIO, size: int) -> bool:
    """Whether the last top-level box reaches beyond the end (ISO/IEC 14496-12)."""
    position = 0
    while position + 8 <= size:
        length = _unpack(file, position, ">I")[0]
        if length == 1:
            length = _unpack(file, position + 8, ">Q")[0]
        if length == 0:
            return False
        if length < 8 or position + length > size:
            return True
        position += length
    return False
