"""Size, orientation and completeness of an image, read from its structure before anything is decoded."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

_JPEG_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
_ORIENTATION = 0x0112


class HeaderError(ValueError):
    """The structure makes no sense."""


class HeaderTruncatedError(HeaderError):
    """The structure points beyond the end of the file."""


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What the structure of an image says.

    Attributes:
        width: pixels in a stored row.
        height: stored rows.
        orientation: EXIF orientation 1..8; 1 means upright.
        complete: False when the file ends before its structure does.
    """

    width: int
    height: int
    orientation: int = 1
    complete: bool = True


def read_header(content: bytes, kind: str) -> ImageHeader:
    """Read the header of an image.

    Args:
        content: the whole file.
        kind: ``jpeg``, ``png``, ``webp``, ``bmp``, ``tiff`` or ``gif``.

    Raises:
        HeaderError: when no width and height can be found; HeaderTruncatedError when the file ends
            before them.
    """
    try:
        header = _READERS[kind](content)
    except (struct.error, IndexError) as error:
        raise HeaderTruncatedError("the header breaks off") from error
    if header.width < 1 or header.height < 1:
        raise HeaderError("the header names no size")
    return header


def _jpeg(content: bytes) -> ImageHeader:
    """Walk the marker segments (ITU-T T.81, annex B)."""
    size: tuple[int, int] | None = None
    orientation, complete, position = 1, False, 2
    while (found := _JPEG_MARKER.search(content, position)) is not None:
        marker, position = content[found.end() - 1], found.end()
        if marker == 0xD9:
            complete = True
            break
        if marker in (0x01, 0xD8):
            continue
        if position + 2 > len(content):
            break
        length = struct.unpack_from(">H", content, position)[0]
        body = content[position + 2 : position + length]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC) and size is None:
            height, width = struct.unpack_from(">HH", body, 1)
            size = width, height
        elif marker == 0xE1 and body.startswith(b"Exif\0\0") and orientation == 1:
            orientation = _exif_orientation(body[6:])
        position += max(length, 2)
    if size is None:
        raise HeaderError("no frame header")
    return ImageHeader(*size, orientation, complete)


def _png(content: bytes) -> ImageHeader:
    width, height = struct.unpack_from(">II", content, 16)
    orientation, complete, position = 1, False, 8
    while position + 12 <= len(content):
        length, name = struct.unpack_from(">I4s", content, position)
        if name == b"eXIf":
            orientation = _exif_orientation(content[position + 8 : position + 8 + length])
        position += 12 + length
        if name == b"IEND":
            complete = position <= len(content)
            break
    return ImageHeader(width, height, orientation, complete)


def _webp(content: bytes) -> ImageHeader:
    """Read the chunks of the container (RFC 9649)."""
    complete = struct.unpack_from("<I", content, 4)[0] + 8 <= len(content) + 1
    size: tuple[int, int] | None = None
    orientation, position = 1, 12
    while position + 8 <= len(content):
        name, length = struct.unpack_from("<4sI", content, position)
        body = content[position + 8 : position + 8 + length]
        if name == b"VP8X":
            size = 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
        elif name == b"VP8L" and size is None:
            bits = struct.unpack_from("<I", body, 1)[0]
            size = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        elif name == b"VP8 " and size is None:
            width, height = struct.unpack_from("<HH", body, 6)
            size = width & 0x3FFF, height & 0x3FFF
        elif name == b"EXIF":
            orientation = _exif_orientation(body.removeprefix(b"Exif\0\0"))
        position += 8 + length + (length & 1)
    if size is None:
        raise HeaderError("no image chunk")
    return ImageHeader(*size, orientation, complete)


def _bmp(content: bytes) -> ImageHeader:
    start, header_bytes = struct.unpack_from("<I4xI", content, 10)[0], struct.unpack_from("<I", content, 14)[0]
    if header_bytes == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", content, 18)
        compression = 0
    else:
        width, height, _, bits, compression = struct.unpack_from("<iiHHI", content, 18)
    height = abs(height)
    stored = height * ((width * bits + 31) // 32 * 4) if compression in (0, 3) else 1
    return ImageHeader(width, height, complete=start + stored <= len(content))


def _gif(content: bytes) -> ImageHeader:
    width, height = struct.unpack_from("<HH", content, 6)
    return ImageHeader(width, height)


def _tiff(content: bytes) -> ImageHeader:
    """Size and orientation of the first page (TIFF 6.0). OpenCV itself turns TIFF pages upright."""
    tags = dict(_tiff_tags(content))
    width, height = tags.get(256, [0])[0], tags.get(257, [0])[0]
    places, lengths = (tags.get(273), tags.get(279)) if 273 in tags else (tags.get(324), tags.get(325))
    complete = not (
        places
        and lengths
        and any(place + length > len(content) for place, length in zip(places, lengths, strict=False))
    )
    return ImageHeader(width, height, complete=complete)


def _exif_orientation(block: bytes) -> int:
    try:
        found = dict(_tiff_tags(block)).get(_ORIENTATION, [1])[0]
    except (struct.error, IndexError, HeaderError):
        return 1
    return found if 1 <= found <= 8 else 1


def _tiff_tags(block: bytes) -> Iterator[tuple[int, list[int]]]:
    """Tag numbers and integer values of the first directory."""
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None:
        raise HeaderError("no byte order")
    big = struct.unpack_from(order + "H", block, 2)[0] == 43
    directory = struct.unpack_from(order + ("Q" if big else "I"), block, 8 if big else 4)[0]
    count = struct.unpack_from(order + ("Q" if big else "H"), block, directory)[0]
    head, entry, slot = (8, 20, 8) if big else (2, 12, 4)
    for index in range(min(count, 4096)):
        position = directory + head + index * entry
        tag, kind, values = struct.unpack_from(order + ("HHQ" if big else "HHI"), block, position)
        code = {1: "B", 3: "H", 4: "I", 16: "Q"}.get(kind)
        if code is None or not 0 < values <= 1 << 20:
            continue
        place = position + entry - slot
        if struct.calcsize(code) * values > slot:
            place = struct.unpack_from(order + ("Q" if big else "I"), block, place)[0]
        yield tag, list(struct.unpack_from(f"{order}{values}{code}", block, place))


_READERS = {"jpeg": _jpeg, "png": _png, "webp": _webp, "bmp": _bmp, "gif": _gif, "tiff": _tiff}
