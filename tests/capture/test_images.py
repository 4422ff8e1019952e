"""Image files of every kind become the same upright picture of three 8-bit channels."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from verify_app.capture.files import load_samples
from verify_app.domain import Modality
from verify_app.reasons import ReasonCode, UnusableInput


@pytest.fixture
def picture() -> Image.Image:
    """48 × 64 pixels, smooth, another colour in every corner."""
    rows, columns = np.mgrid[0:48, 0:64].astype(np.float32)
    channels = [columns / 63 * 200 + 20, rows / 47 * 200 + 20, 220 - (columns + rows) / 110 * 180]
    return Image.fromarray(np.dstack(channels).astype(np.uint8))


def _load(folder: Path, content: bytes, name: str = "picture") -> np.ndarray[Any, Any]:
    file = folder / name
    file.write_bytes(content)
    (sample,) = load_samples(file)
    assert sample.modality is Modality.FACE
    assert sample.data.dtype == np.uint8
    assert sample.data.ndim == 3
    assert sample.data.shape[2] == 3
    return sample.data


def _encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def _difference(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> float:
    return float(np.abs(a.astype(int) - b.astype(int)).mean())


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_lossless_formats_are_exact(tmp_path: Path, picture: Image.Image, kind: str) -> None:
    assert np.array_equal(_load(tmp_path, _encoded(picture, kind)), np.array(picture))


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"quality": 95}),
        ("JPEG", {"quality": 95, "progressive": True}),
        ("WEBP", {"quality": 95}),
        ("WEBP", {"lossless": True}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"compression": "jpeg", "quality": 95}),
        ("GIF", {}),
    ],
)
def test_other_formats_are_close(tmp_path: Path, picture: Image.Image, kind: str, options: dict[str, Any]) -> None:
    assert _difference(_load(tmp_path, _encoded(picture, kind, **options)), np.array(picture)) < 6


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_comes_upright(
    tmp_path: Path, picture: Image.Image, kind: str, orientation: int
) -> None:
    # How the camera stored it: the inverse of what undoes the orientation.
    stored = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    turned = picture.transpose(stored[orientation]) if orientation > 1 else picture
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"tiffinfo": {0x0112: orientation}} if kind == "TIFF" else {"exif": exif.tobytes(), "quality": 95}

    loaded = _load(tmp_path, _encoded(turned, kind, **options))

    assert loaded.shape == (48, 64, 3)
    assert _difference(loaded, np.array(picture)) < 6


def test_sixteen_bit_tiff_comes_upright(tmp_path: Path) -> None:
    wide = np.zeros((32, 48), np.uint16)
    wide[:, :8] = 50_000
    content = _encoded(Image.fromarray(wide).transpose(Image.Transpose.ROTATE_90), "TIFF", tiffinfo={0x0112: 6})

    loaded = _load(tmp_path, content)

    assert loaded.shape == (32, 48, 3)
    assert loaded[:, :8].min() > 190
    assert loaded[:, 8:].max() == 0


def test_grey_becomes_three_equal_channels(tmp_path: Path, picture: Image.Image) -> None:
    for mode in ("L", "1", "P"):
        loaded = _load(tmp_path, _encoded(picture.convert("L").convert(mode), "PNG"))
        assert np.array_equal(loaded[..., 0], loaded[..., 2])
    assert (
        _difference(_load(tmp_path, _encoded(picture.convert("L"), "JPEG"))[..., 0], np.array(picture.convert("L"))) < 3
    )


def test_sixteen_bits_become_eight(tmp_path: Path, picture: Image.Image) -> None:
    grey = np.array(picture.convert("L"))
    for kind in ("PNG", "TIFF"):
        loaded = _load(tmp_path, _encoded(Image.fromarray(grey.astype(np.uint16) * 257), kind))
        assert np.array_equal(loaded[..., 1], grey)


def test_white_shows_through_transparent_pixels(tmp_path: Path) -> None:
    pixels = np.zeros((32, 32, 4), np.uint8)
    pixels[:, 16:, 3] = 255
    for kind in ("PNG", "TIFF"):
        loaded = _load(tmp_path, _encoded(Image.fromarray(pixels), kind))
        assert (loaded[:, :16] == 255).all()
        assert (loaded[:, 16:] == 0).all()


def test_cmyk_keeps_its_colours(tmp_path: Path, picture: Image.Image) -> None:
    for kind in ("JPEG", "TIFF"):
        loaded = _load(tmp_path, _encoded(picture.convert("CMYK"), kind))
        assert _difference(loaded, np.array(picture)) < 8


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_the_first_picture_of_an_animation_counts(tmp_path: Path, picture: Image.Image, kind: str) -> None:
    others = [picture.transpose(Image.Transpose.ROTATE_180)] * 2
    loaded = _load(tmp_path, _encoded(picture, kind, save_all=True, append_images=others, duration=100))

    assert _difference(loaded, np.array(picture)) < 6


def test_any_file_name_will_do(tmp_path: Path, picture: Image.Image) -> None:
    for name in ("bild ä ö ü.png", "写真.jpg", "no extension", "%s 'quoted'.tiff"):
        assert _load(tmp_path, _encoded(picture, "PNG"), name).shape == (48, 64, 3)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_file_cut_off_says_so(tmp_path: Path, picture: Image.Image, kind: str, share: float) -> None:
    content = _encoded(picture, kind)
    file = tmp_path / "cut"
    file.write_bytes(content[: int(len(content) * share)])

    with pytest.raises(UnusableInput) as refusal:
        load_samples(file)

    assert refusal.value.reason.code is ReasonCode.FILE_TRUNCATED


def _enormous(kind: str) -> bytes:
    """A valid header that promises 10 000 × 10 000 pixels, and next to nothing after it."""
    if kind == "png":
        header = struct.pack(">II5B", 10_000, 10_000, 8, 2, 0, 0, 0)
        chunk = b"IHDR" + header
        return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    if kind == "jpeg":
        frame = struct.pack(">BHHB", 8, 10_000, 10_000, 1) + b"\x01\x11\x00"
        return b"\xff\xd8\xff\xc0" + struct.pack(">H", len(frame) + 2) + frame + b"\xff\xd9"
    if kind == "webp":
        body = b"VP8X" + struct.pack("<I", 10) + b"\0" * 4 + (9_999).to_bytes(3, "little") * 2
        return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body
    if kind == "bmp":
        return b"BM" + struct.pack("<IIIIiiHHIIiiII", 54, 0, 54, 40, 10_000, 10_000, 1, 24, 0, 0, 0, 0, 0, 0)
    entries = struct.pack("<HHIIHHII", 256, 4, 1, 10_000, 257, 4, 1, 10_000)
    return b"II*\0" + struct.pack("<IH", 8, 2) + entries + struct.pack("<I", 0)


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp", "bmp", "tiff"])
def test_a_hundred_megapixels_are_refused_by_the_header_alone(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "huge"
    file.write_bytes(_enormous(kind))

    with pytest.raises(UnusableInput) as refusal:
        load_samples(file)

    assert refusal.value.reason.code is ReasonCode.IMAGE_TOO_LARGE
    assert "10000 × 10000" in refusal.value.reason.message


def test_tiny_pictures_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "dot.png"
    file.write_bytes(_encoded(Image.new("RGB", (8, 40)), "PNG"))

    with pytest.raises(UnusableInput) as refusal:
        load_samples(file)

    assert refusal.value.reason.code is ReasonCode.IMAGE_TOO_SMALL


def test_damage_inside_a_picture_is_told_once_and_quietly(
    tmp_path: Path, picture: Image.Image, capfd: pytest.CaptureFixture[str]
) -> None:
    content = bytearray(_encoded(picture, "PNG"))
    middle = len(content) // 2
    content[middle : middle + 8] = b"\xff" * 8
    file = tmp_path / "damaged.png"
    file.write_bytes(content)

    with pytest.raises(UnusableInput) as refusal:
        load_samples(file)

    assert refusal.value.reason.code is ReasonCode.FILE_UNREADABLE
    assert capfd.readouterr() == ("", "")


def test_a_picture_holds_no_voice(tmp_path: Path, picture: Image.Image) -> None:
    file = tmp_path / "picture.png"
    file.write_bytes(_encoded(picture, "PNG"))

    with pytest.raises(UnusableInput) as refusal:
        load_samples(file, Modality.VOICE)

    assert refusal.value.reason.code is ReasonCode.MODALITY_MISMATCH


def test_same_file_same_sample(tmp_path: Path, picture: Image.Image) -> None:
    file = tmp_path / "picture.jpg"
    file.write_bytes(_encoded(picture, "JPEG"))

    first, second = load_samples(file)[0], load_samples(file)[0]

    assert first.sha256 == second.sha256
    assert np.array_equal(first.data, second.data)
