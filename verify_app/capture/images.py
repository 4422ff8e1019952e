"""Image files: from bytes to an upright picture of three 8-bit channels."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verify_app.capture.content import open_error
from verify_app.capture.image_header import HeaderError, HeaderTruncatedError, ImageHeader, read_header
from verify_app.domain import ImageArray, Modality, Sample
from verify_app.native import opencv, quiet_stderr
from verify_app.reasons import ReasonCode, UnusableInput

MAX_PIXELS = 64_000_000
MIN_SIDE = 16
_MAX_BYTES = 600_000_000
_BACKGROUND = 255


def load_image(path: str | Path, kind: str) -> Sample:
    """One face sample from an image file whose content is of the format ``kind``.

    Raises:
        UnusableInput: IMAGE_TOO_LARGE (told by the header, before decoding), IMAGE_TOO_SMALL,
            FILE_TRUNCATED, FILE_UNREADABLE.
    """
    content = _read(path)
    header = _header(content, kind, path)
    image = to_rgb8(_decode(content, path))
    # OpenCV has applied the orientation of a TIFF page already, and of nothing else.
    image = upright(image, header.orientation)
    details = {"format": kind, "width": image.shape[1], "height": image.shape[0], "orientation": header.orientation}
    return Sample(Modality.FACE, image, str(path), hashlib.sha256(content).hexdigest(), details=details)


def to_rgb8(pixels: NDArray[Any]) -> ImageArray:
    """Any array that OpenCV decodes, as uint8 (height, width, 3) RGB.

    Grey becomes three equal channels, 16 bits become 8, floating-point pixels are taken as 0..1, and
    what shows through a transparent pixel is white.
    """
    cv2 = opencv()
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    elif pixels.dtype != np.uint8:
        scaled = np.nan_to_num(pixels.astype(np.float32), posinf=1.0, neginf=0.0)
        peak = float(scaled.max(initial=0.0))
        scaled = scaled * (255.0 if peak <= 1.0 else 1.0 if peak <= 255.0 else 255.0 / peak)
        pixels = scaled.clip(0, 255).astype(np.uint8)
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB))
    if pixels.shape[2] == 2:
        pixels = np.dstack([pixels[..., 0]] * 3 + [pixels[..., 1]])
    if pixels.shape[2] == 4:
        pixels = _on_background(pixels)
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))


def _on_background(pixels: ImageArray) -> ImageArray:
    """Blend four channels, the last of them opacity, with white; row by row, for large pictures' sake."""
    blended = pixels[..., :3].copy()
    for row in np.flatnonzero((pixels[..., 3] < 255).any(axis=1)):
        opacity = pixels[row, :, 3:].astype(np.uint16)
        blended[row] = (pixels[row, :, :3] * opacity + _BACKGROUND * (255 - opacity) + 127) // 255
    return blended


def upright(image: ImageArray, orientation: int) -> ImageArray:
    """Undo an EXIF orientation 1..8 (CIPA DC-008): the result is as the photographer saw it."""
    if orientation in (5, 6, 7, 8):
        image = image.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return np.ascontiguousarray(image)


def _read(path: str | Path) -> bytes:
    try:
        with Path(path).open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise open_error(path, error) from None
    if len(content) > _MAX_BYTES:
        raise _too_large(path, f"it has more than {_MAX_BYTES // 1_000_000} million bytes")
    return content


def _header(content: bytes, kind: str, path: str | Path) -> ImageHeader:
    try:
        header = read_header(content, kind)
    except HeaderTruncatedError:
        raise _truncated(path) from None
    except HeaderError as error:
        raise UnusableInput(
            ReasonCode.FILE_UNREADABLE,
            f"{path} begins like a {kind.upper()} image but is damaged: {error}.",
            "Open it in an image viewer and save it again, or use another picture.",
        ) from None
    if header.width * header.height > MAX_PIXELS:
        raise _too_large(path, f"it has {header.width} × {header.height} pixels")
    if min(header.width, header.height) < MIN_SIDE:
        raise UnusableInput(
            ReasonCode.IMAGE_TOO_SMALL,
            f"{path} is too small: it has {header.width} × {header.height} pixels.",
            "Use a picture in which the face alone is at least 60 pixels wide.",
        )
    if not header.complete:
        raise _truncated(path)
    return header


def _truncated(path: str | Path) -> UnusableInput:
    return UnusableInput(
        ReasonCode.FILE_TRUNCATED,
        f"{path} is cut off: the file ends before the picture does.",
        "Copy or download the file again.",
    )


def _too_large(path: str | Path, what: str) -> UnusableInput:
    return UnusableInput(
        ReasonCode.IMAGE_TOO_LARGE,
        f"{path} is too large: {what}.",
        f"Use a picture of at most {MAX_PIXELS // 1_000_000} million pixels.",
    )


def _decode(content: bytes, path: str | Path) -> NDArray[Any]:
    cv2 = opencv()
    try:
        with quiet_stderr():
            pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        pixels = None
    if pixels is None or pixels.size == 0:
        raise UnusableInput(
            ReasonCode.FILE_UNREADABLE,
            f"{path} cannot be decoded: the picture is damaged or of an unusual kind.",
            "Open it in an image viewer and save it again as JPEG or PNG.",
        )
    return np.asarray(pixels)
