"""A closer look at a found face: where its landmarks really are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from verify_app.domain import ImageArray
from verify_app.encoders.manifest import ModelEntry
from verify_app.encoders.session import OnnxModel
from verify_app.face.alignment import TEMPLATE, cut, similarity_transform
from verify_app.face.detector import Face

SIDE = 48
# Where the landmarks of a face in place lie in the input: the alignment template about its
# centre, at the scale at which 100 of its pixels fill the input.
_PLACE = ((TEMPLATE - TEMPLATE.mean(axis=0)) * (SIDE / 100) + (SIDE - 1) / 2).astype(np.float32)
_MIRRORED = [1, 0, 2, 4, 3]
# Landmarks that end up farther from where the detector saw them, in box sides, are somebody else's.
_FARTHEST = 0.35


class LandmarkFinder:
    """The landmark network of the manifest: uint8 (n, 48, 48, 3) RGB in, points (n, 5, 2) in its pixels out.

    Opens at the first use; may be used from several threads.
    """

    def __init__(self, entry: ModelEntry) -> None:
        self._model = OnnxModel(entry, threads=1)  # too small to share out

    @property
    def active_provider(self) -> str:
        """The execution provider that runs the network."""
        return self._model.active_provider

    def refine(self, image: ImageArray, face: Face) -> Face:
        """The same face with better landmarks; unchanged where the network loses it.

        The face is brought into place by the landmarks it has; the network looks at it and at its
        mirror image.

        Args:
            image: uint8 (height, width, 3), RGB.
            face: a face found in it.

        Raises:
            StateError: MODEL_MISSING or MODEL_CORRUPT.
        """
        matrix = similarity_transform(face.landmarks, _PLACE)
        inside = self.find(cut(image, matrix, SIDE))
        points = ((inside - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T).astype(np.float32)
        eyes = float(np.linalg.norm(points[1] - points[0]))
        if eyes < 1 or np.abs(points - face.landmarks).max() > _FARTHEST * max(face.box[2:]):
            return face
        return replace(face, landmarks=points)

    def find(self, close: ImageArray) -> NDArray[np.float32]:
        """Landmarks (5, 2) in a picture of 48 × 48 pixels that a face fills: the mean of it and its mirror image."""
        seen, mirrored = self._model.run(np.stack([close, close[:, ::-1]]), (5, 2))
        back = mirrored[_MIRRORED] * [-1, 1] + [SIDE - 1, 0]
        return np.asarray((seen + back) / 2, np.float32)
