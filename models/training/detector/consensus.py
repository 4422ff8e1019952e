"""Landmarks on which many looks agree.

One look of a teacher at a face is a noisy reading: seen at another size, or mirrored, the
same network puts the landmarks a twentieth of the inter-eye distance elsewhere. The mean
over sizes, mirror images and both teachers is what we teach, and what we measure against.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from .data import Floats, Photo, Pixels, iou

ENLARGEMENTS = (0.75, 1.0, 1.35)
TEACHERS = ("yunet_n_dynamic.onnx", "yunet_2023mar.onnx")
LEAST_OVERLAP = 0.4  # IoU at which a find is a look at the labelled face
LEAST_SCORE = 0.5
LEAST_LOOKS = 3  # with fewer, the label stays as it is
CROP_MARGIN = 32  # grey pixels around a face crop, which has no surroundings of its own
MIRRORED = np.array([1, 0, 2, 4, 3])  # landmark order after a left-right flip


def open_teachers(folder: Path) -> list[cv2.FaceDetectorYN]:
    """The teachers' files in ``folder``, opened."""
    return [cv2.FaceDetectorYN.create(str(folder / name), "", (320, 320), LEAST_SCORE, 0.3) for name in TEACHERS]


def look(engine: cv2.FaceDetectorYN, image: Pixels, enlargement: float = 1.0, mirrored: bool = False) -> Floats:
    """Finds float32 [K, 15] of one look at ``image`` (uint8 [H, W, 3], BGR), in its pixels."""
    way = cv2.INTER_AREA if enlargement < 1 else cv2.INTER_LINEAR
    picture = cv2.resize(image, None, fx=enlargement, fy=enlargement, interpolation=way) if enlargement != 1 else image
    height, width = picture.shape[:2]
    engine.setInputSize((width, height))
    found = engine.detect(np.ascontiguousarray(picture[:, ::-1]) if mirrored else picture)[1]
    if found is None:
        return np.zeros((0, 15), np.float32)
    out = found.astype(np.float32)
    if mirrored:
        out[:, 0] = width - out[:, 0] - out[:, 2]
        points = out[:, 4:14].reshape(-1, 5, 2)
        points[:, :, 0] = width - 1 - points[:, :, 0]
        out[:, 4:14] = points[:, MIRRORED].reshape(-1, 10)
    out[:, 0:14:2] *= image.shape[1] / width
    out[:, 1:14:2] *= image.shape[0] / height
    return out


def agreed(engines: list[cv2.FaceDetectorYN], image: Pixels, faces: Floats, margin: int = 0) -> Floats:
    """``faces`` [K, 15] with the landmarks of each replaced by the mean over all looks at it."""
    out = faces.copy()
    if not len(faces):
        return out
    canvas = cv2.copyMakeBorder(image, *[margin] * 4, cv2.BORDER_CONSTANT, value=(127, 127, 127)) if margin else image
    sums, counts = np.zeros((len(faces), 10)), np.zeros(len(faces), int)
    for engine in engines:
        for enlargement in ENLARGEMENTS:
            for mirrored in (False, True):
                finds = look(engine, canvas, enlargement, mirrored)
                if not len(finds):
                    continue
                finds[:, :2] -= margin
                finds[:, 4:14] -= margin
                overlap = iou(faces, finds)
                for k, best in enumerate(overlap.argmax(1)):
                    if overlap[k, best] >= LEAST_OVERLAP:
                        sums[k] += finds[best, 4:14]
                        counts[k] += 1
    enough = counts >= LEAST_LOOKS
    out[enough, 4:14] = sums[enough] / counts[enough, None]
    return out


def agree(photos: list[Photo], teachers: Path, cache: Path) -> list[Photo]:
    """The same photographs with agreed landmarks; ``cache`` (.npz) keeps them, since they never change."""
    counts = np.array([len(p.faces) for p in photos])
    if cache.exists():
        kept = np.load(cache)
        if not np.array_equal(kept["counts"], counts):
            raise ValueError(f"{cache} holds the landmarks of other photographs; delete it to make them again.")
        rows = kept["faces"]
    else:
        engines = open_teachers(teachers)
        rows = np.concatenate(
            [agreed(engines, p.pixels(), p.faces, CROP_MARGIN if p.source == "crop" else 0) for p in photos]
        )
        cache.parent.mkdir(parents=True, exist_ok=True)
        np.savez(cache, counts=counts, faces=rows)
    parts = np.split(rows, np.cumsum(counts)[:-1])
    return [
        Photo(p.name, p.source, p.encoded, faces.astype(np.float32)) for p, faces in zip(photos, parts, strict=True)
    ]
