"""Where the faces are: boxes and five landmarks."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verify_app.domain import ImageArray
from verify_app.encoders.manifest import ModelEntry
from verify_app.face.alignment import cut
from verify_app.native import opencv
from verify_app.reasons import ReasonCode, StateError

SCORE = 0.6
_OVERLAP = 0.3
_MOST = 200
# Long side in pixels and border as a share of it, tried in turn until a face is found: the usual
# picture; a face that fills it, made smaller and given surroundings; small faces in a large picture.
_PASSES = ((640, 0.0), (256, 0.4), (1920, 0.0))
# The closer look: a square of so many pixels that holds so many times the face.
_CLOSE_SIDE = 160
_CLOSE_SURROUNDINGS = 1.6


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One detected face.

    Attributes:
        box: x, y, width, height in pixels of the picture; may reach beyond its edges.
        landmarks: float32 (5, 2), x and y in the picture: eye, eye, nose, mouth corner, mouth corner,
            the left of the picture first.
        score: 0..1, how sure the detector is.
    """

    box: tuple[float, float, float, float]
    landmarks: NDArray[np.float32]
    score: float


class FaceDetector:
    """The detector of the manifest, decoded by OpenCV (a network with the heads of YuNet).

    W. Wu, H. Peng, S. Yu: YuNet, a tiny millisecond-level face detector. Machine Intelligence Research
    20, 2023. Opens at the first use; may be used from several threads.
    """

    def __init__(self, entry: ModelEntry) -> None:
        self._entry = entry
        self._lock = threading.Lock()
        self._network: Any = None

    def detect(self, image: ImageArray, *, thorough: bool = True) -> list[Face]:
        """All faces in a picture (uint8 (height, width, 3), RGB), the surest first.

        Unless ``thorough``, a picture in which no face is found at once is not searched for small ones.

        Raises:
            StateError: MODEL_MISSING or MODEL_CORRUPT.
        """
        longest = max(image.shape[:2])
        tried: set[tuple[int, float]] = set()
        for side, border in _PASSES if thorough else _PASSES[:2]:
            attempt = (min(side, longest), border)
            if attempt in tried:
                continue
            tried.add(attempt)
            faces = self._detect_at(image, attempt[0] / longest, border)
            if faces:
                return faces
        return []

    def refine(self, image: ImageArray, face: Face) -> Face:
        """The same face with better landmarks: the mean of the first look, a closer one and its mirror image.

        On development photographs the distance to the reference landmarks falls by a quarter for a weak
        detector, and a little for a strong one.
        """
        x, y, width, height = face.box
        scale = _CLOSE_SIDE / (_CLOSE_SURROUNDINGS * max(width, height))
        shift = _CLOSE_SIDE / 2 - scale * np.array([x + width / 2, y + height / 2])
        close = cut(image, np.column_stack([scale * np.eye(2), shift]), _CLOSE_SIDE)
        looks: list[NDArray[Any]] = [face.landmarks]
        for mirrored in (False, True):
            rows = self._rows(close[:, ::-1] if mirrored else close)
            if not rows:
                continue
            inside = rows[0][4:14].reshape(5, 2).copy()
            if mirrored:
                inside[:, 0] = _CLOSE_SIDE - 1 - inside[:, 0]
                inside = inside[[1, 0, 2, 4, 3]]
            points = (inside - shift) / scale
            if np.abs(points - face.landmarks).max() < max(width, height) / 2:  # else it is somebody else
                looks.append(points)
        return replace(face, landmarks=np.mean(looks, axis=0, dtype=np.float32))

    def _detect_at(self, image: ImageArray, scale: float, border: float) -> list[Face]:
        cv2 = opencv()
        height, width = (max(1, round(side * scale)) for side in image.shape[:2])
        shrunk = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA) if scale < 1 else image
        margin = round(border * max(width, height))
        canvas = cv2.copyMakeBorder(shrunk, margin, margin, margin, margin, cv2.BORDER_REPLICATE) if margin else shrunk
        factor = np.array([image.shape[1] / width, image.shape[0] / height], np.float32)
        faces = [_face(row, margin, factor) for row in self._rows(canvas)]
        return [face for face in faces if np.linalg.norm(face.landmarks[1] - face.landmarks[0]) >= 1]

    def _rows(self, image: ImageArray) -> list[NDArray[np.float32]]:
        """What the network finds: box, landmarks and score in a row of 15, the surest first."""
        cv2 = opencv()
        canvas = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2BGR)
        with self._lock:
            network = self._open()
            network.setInputSize((canvas.shape[1], canvas.shape[0]))
            try:
                rows = network.detect(canvas)[1]
            except cv2.error as error:
                raise self._corrupt(error) from None
        return [] if rows is None else sorted(rows[np.isfinite(rows).all(axis=1)], key=lambda row: -row[14])

    def _open(self) -> Any:
        if self._network is None:
            cv2 = opencv()
            content = np.frombuffer(self._entry.read(), np.uint8)
            try:
                self._network = cv2.FaceDetectorYN.create(
                    "onnx", content, np.empty(0, np.uint8), (320, 320), SCORE, _OVERLAP, _MOST
                )
            except cv2.error as error:
                raise self._corrupt(error) from None
        return self._network

    def _corrupt(self, error: Exception) -> StateError:
        return StateError(
            ReasonCode.MODEL_CORRUPT,
            f"The face detector {self._entry.path} cannot be used: {str(error).splitlines()[0][:200]}.",
            "Install the application again, or restore the models folder from its source.",
        )


def _face(row: NDArray[np.float32], margin: int, factor: NDArray[np.float32]) -> Face:
    x, y = (row[0:2] - margin) * factor
    width, height = row[2:4] * factor
    landmarks = ((row[4:14].reshape(5, 2) - margin) * factor).astype(np.float32)
    return Face((float(x), float(y), float(width), float(height)), landmarks, float(row[14]))
