"""What a file holds, told by its first bytes: never by its name."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from verify_app.reasons import ReasonCode, UnusableInput

HEAD_BYTES = 4096
SUPPORTED = "Images: JPEG, PNG, WebP, BMP, TIFF, GIF. Sound: WAV, FLAC, Ogg, Opus, MP3, M4A. Video: MP4, WebM, AVI."

_IMAGES = ("jpeg", "png", "webp", "bmp", "tiff", "gif")


@dataclass(frozen=True, slots=True)
class Content:
    """What the first bytes say.

    Attributes:
        kind: ``"image"``, ``"audio"``, or ``"container"`` when only the tracks inside tell sound from video.
        format: short name of the format.
    """

    kind: str
    format: str


def open_error(path: str | Path, error: Exception) -> UnusableInput:
    """The reason for a file that cannot be opened or read."""
    if isinstance(error, FileNotFoundError):
        return UnusableInput(
            ReasonCode.FILE_NOT_FOUND, f"There is no file {path}.", "Check the name and the folder, then try again."
        )
    what = "it is a folder" if isinstance(error, IsADirectoryError) else getattr(error, "strerror", None) or str(error)
    advice = "Name a file inside it." if isinstance(error, IsADirectoryError) else "Check who may read the file."
    if isinstance(error, PermissionError):
        what = "permission denied"
    return UnusableInput(ReasonCode.FILE_UNREADABLE, f"{path} cannot be read: {what}.", advice)


def read_head(path: str | Path) -> bytes:
    """The first :data:`HEAD_BYTES` bytes of a regular file that is not empty.

    Raises:
        UnusableInput: FILE_NOT_FOUND, FILE_UNREADABLE or FILE_EMPTY.
    """
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116  Path() would hide the error of a name that holds a zero byte
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(str(path))
        if not stat.S_ISREG(mode):
            raise OSError(None, "it is not a regular file")
        with Path(path).open("rb") as file:
            head = file.read(HEAD_BYTES)
    except (OSError, ValueError) as error:
        raise open_error(path, error) from None
    if not head:
        raise UnusableInput(
            ReasonCode.FILE_EMPTY, f"{path} is empty.", "Copy or record the file again, then try once more."
        )
    return head


def recognise(head: bytes) -> Content | None:
    """Name the content that begins with ``head``; None when it is no format known here."""
    image = _image(head)
    if image:
        return Content("image", image)
    sound = _sound(head)
    if sound:
        return Content("audio", sound)
    container = _container(head)
    return Content("container", container) if container else None


def identify(path: str | Path) -> Content:
    """What the file holds; UnusableInput FORMAT_UNSUPPORTED for anything not known here."""
    head = read_head(path)
    content = recognise(head)
    if content is not None:
        return content
    if head[4:8] == b"ftyp" and head[8:12] in (b"heic", b"heix", b"mif1", b"msf1", b"avif", b"avis"):
        raise UnusableInput(
            ReasonCode.FORMAT_UNSUPPORTED,
            f"{path} is a HEIC or AVIF picture, which cannot be decoded here.",
            "Export it as JPEG or PNG and use that file.",
        )
    raise UnusableInput(
        ReasonCode.FORMAT_UNSUPPORTED, f"{path} is neither an image nor a recording that is known here.", SUPPORTED
    )


def _image(head: bytes) -> str | None:
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "tiff"
    # "BM" alone is two letters of text; the size of the header that follows makes it a bitmap.
    if head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in (12, 40, 52, 56, 64, 108, 124):
        return "bmp"
    return None


def _sound(head: bytes) -> str | None:
    if head[:4] in (b"RIFF", b"RF64", b"RIFX") and head[8:12] == b"WAVE":
        return "wav"
    if head.startswith(b"riff\x2e\x91\xcf\x11"):
        return "w64"
    if head.startswith(b"fLaC"):
        return "flac"
    if head.startswith(b"OggS") and b"theora" not in head[:200]:
        return "ogg"
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "aiff"
    if head.startswith((b".snd", b"caff")):
        return "au" if head.startswith(b".snd") else "caf"
    if head.startswith(b"ID3") or _is_mpeg_audio(head):
        return "mp3"
    return None


def _is_mpeg_audio(head: bytes) -> bool:
    """Whether two consecutive MPEG-1/2 layer III frame headers stand where they should (ISO/IEC 11172-3)."""
    step = _mpeg_frame_bytes(head[:4])
    return step is not None and (len(head) < step + 4 or _mpeg_frame_bytes(head[step : step + 4]) is not None)


def _mpeg_frame_bytes(header: bytes) -> int | None:
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return None
    version, layer = header[1] >> 3 & 3, header[1] >> 1 & 3
    rate_index, frequency_index = header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or layer != 1 or rate_index in (0, 15) or frequency_index == 3:
        return None
    first = version == 3
    rates = (
        (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
        if first
        else (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
    )
    frequency = (44100, 48000, 32000)[frequency_index] // {3: 1, 2: 2, 0: 4}[version]
    return (144 if first else 72) * rates[rate_index] * 1000 // frequency + (header[2] >> 1 & 1)


def _container(head: bytes) -> str | None:
    if head[4:8] == b"ftyp":
        pictures = (b"heic", b"heix", b"mif1", b"msf1", b"avif", b"avis", b"heim", b"heis", b"hevc", b"hevx")
        return None if head[8:12] in pictures else "mp4"
    if head[4:8] in (b"moov", b"mdat", b"wide"):
        return "mov"
    if head.startswith(b"\x1aE\xdf\xa3"):
        return "matroska"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    if head.startswith(b"OggS"):
        return "ogg-video"
    if head.startswith(b"FLV\x01"):
        return "flv"
    if head.startswith(b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"):
        return "asf"
    if head.startswith(b"#!AMR"):
        return "amr"
    if len(head) > 376 and head[0] == head[188] == head[376] == 0x47:
        return "mpeg-ts"
    if head.startswith((b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3")):
        return "mpeg"
    # ADTS: twelve sync bits and a layer of zero, then a second frame where the first says (ISO/IEC 13818-7).
    if len(head) > 7 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        step = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
        if step >= 7 and (len(head) < step + 2 or (head[step] == 0xFF and head[step + 1] & 0xF6 == 0xF0)):
            return "aac"
    return None
