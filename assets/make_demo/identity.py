"""Give a blend an identity of its own: far from every source, apart from the other people.

The weights of the blend are evened out until no source stands nearer than the others, and
the shape of the face is drawn at random until the encoders see neither a source nor
another demo person in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .faces import Hair, Look, Shape, mix, portrait, reshape
from .sources import TEMPLATE, Encoder, Floats, Pixels

# Spread of the random shapes, in blend pixels: what still looks like a face.
SPREAD = Shape(
    eyes_apart=5, eyes_up=3, brows_up=3, nose_down=4, nose_wide=2.5, mouth_wide=4,
    mouth_down=4, smile=1, jaw_wide=5, chin_down=5, eye_size=1.2,
)  # fmt: skip


class Watch:
    """Detector and encoders that look at a portrait as the application would.

    ``thresholds`` holds each encoder's cosine at a false-match rate of about 1e-3.
    """

    def __init__(self, detector: str, encoders: list[Encoder], thresholds: list[float]) -> None:
        self.thresholds = thresholds
        self.detector = cv2.FaceDetectorYN.create(detector, "", (320, 320), 0.5, 0.3)
        self.encoders = encoders

    def crop(self, picture: Pixels) -> Pixels:
        """The aligned 112 x 112 crop of the face in a picture (RGB)."""
        self.detector.setInputSize((picture.shape[1], picture.shape[0]))
        found = self.detector.detect(np.ascontiguousarray(picture[..., ::-1]))[1]
        if found is None:
            raise ValueError("No face was found in a portrait; its shape has gone too far.")
        points = found[int(np.argmax(found[:, 14])), 4:14].reshape(5, 2)
        matrix = cv2.estimateAffinePartial2D(points, TEMPLATE, method=cv2.LMEDS)[0]
        return cv2.warpAffine(picture, matrix, (112, 112), flags=cv2.INTER_LINEAR).astype(np.uint8, copy=False)

    def embed(self, picture: Pixels) -> list[Floats]:
        """Unit embedding of the picture, one per encoder."""
        crop = self.crop(picture)[None]
        return [encoder(crop)[0] for encoder in self.encoders]


@dataclass(frozen=True)
class Identity:
    """The weights and the shape that make a person, and the person's embeddings (one per encoder)."""

    weights: NDArray[np.float64]
    shape: Shape
    embeddings: list[Floats]


def plain(images: list[Floats], hair: Hair, weights: NDArray[np.float64], shape: Shape) -> Pixels:
    """The plainest portrait of an identity, the one that is watched."""
    return portrait(reshape(mix(images, weights), shape), Look(), hair, np.random.default_rng(0))


def settle(
    images: list[Floats],
    hair: Hair,
    members: list[Floats],
    others: list[list[Floats]],
    watch: Watch,
    rng: np.random.Generator,
    draws: int,
) -> Identity:
    """Find an identity for aligned ``images``.

    ``members`` holds the embeddings of the sources, [M, D] per encoder; ``others`` the
    embeddings of the people made before, [D] per encoder each.
    """

    def look(weights: NDArray[np.float64], shape: Shape) -> tuple[float, list[Floats], NDArray[np.float64]]:
        seen = watch.embed(plain(images, hair, weights, shape))
        limits = watch.thresholds
        near = np.max([m @ e - t for m, e, t in zip(members, seen, limits, strict=True)], axis=0)
        crowd = [float(o @ e) - t for other in others for o, e, t in zip(other, seen, limits, strict=True)]
        return float(near.max() + 0.8 * max([-0.2, *crowd])), seen, near

    weights = np.full(len(images), 1 / len(images))
    best_cost, best = np.inf, Identity(weights, Shape(), [])
    for draw in range(draws):
        wish = Shape(**{k: v * float(np.clip(rng.normal(0, 0.8), -1.5, 1.5)) for k, v in vars(SPREAD).items()})
        cost, seen, near = look(weights, wish)
        if cost < best_cost:
            best_cost, best = cost, Identity(weights, wish, seen)
        # Lean away from the sources that show through, ever less.
        weights = weights * np.exp(-3.0 * (1 - draw / draws) * (near - near.mean()))
        weights = np.clip(weights / weights.sum(), 0.1 / len(images), 1.8 / len(images))
        weights = weights / weights.sum()
    return best
