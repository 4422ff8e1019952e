"""What landmarks cost in error rates: ``python -m models.training.landmarks.end_to_end --help``.

Development crops are set, enlarged or reduced and turned, into pictures with surroundings of
their own blurred mirror image; the application finds, aligns and encodes them. One picture,
four alignments: by the landmarks the crop is known to have, by the detector's, by those of its
closer look, and by the landmark network's, which begins there. Pictures in which the detector
misses the face are left out of all four.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.evaluate import summary
from verify_app.encoders.manifest import load_manifest
from verify_app.encoders.session import OnnxEncoder
from verify_app.face.alignment import align
from verify_app.face.detector import Face, FaceDetector
from verify_app.face.landmarks import LandmarkFinder

from .train import Floats, Pixels, read_index

SIDE, SURROUNDINGS = 320, 64
MIDDLE = np.array([63.5, 63.5])  # of a crop


def picture(crop: Pixels, points: Floats, rng: np.random.Generator) -> tuple[Pixels, Floats]:
    """The crop in a picture of 320 × 320, and its landmarks there [5, 2]."""
    wide = cv2.copyMakeBorder(crop, *[SURROUNDINGS] * 4, cv2.BORDER_REFLECT_101)
    wide = cv2.GaussianBlur(wide, (0, 0), 2)
    wide[SURROUNDINGS:-SURROUNDINGS, SURROUNDINGS:-SURROUNDINGS] = crop
    scale, roll = rng.uniform(0.6, 1.6), np.deg2rad(rng.normal(0, 10))
    linear = scale * np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    shift = np.array([SIDE / 2, SIDE / 2]) - linear @ MIDDLE + rng.uniform(-20, 20, 2)
    matrix = np.column_stack([linear, shift - linear @ [SURROUNDINGS, SURROUNDINGS]])
    out = cv2.warpAffine(wide, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return out.astype(np.uint8, copy=False), (points @ linear.T + shift).astype(np.float32)


def nearest(faces: list[Face], points: Floats) -> Face | None:
    """The found face that the landmarks belong to."""
    eyes = float(np.linalg.norm(points[1] - points[0]))
    near = [f for f in faces if np.linalg.norm(f.landmarks.mean(0) - points.mean(0)) < 0.5 * eyes]
    return near[0] if near else None


def embedded(encoder: OnnxEncoder, crops: list[Pixels]) -> NDArray[np.float32]:
    """Embeddings of aligned crops, their mirror images added, as the application makes them."""
    parts = []
    for start in range(0, len(crops), 32):
        batch = np.stack(crops[start : start + 32])
        parts.append(encoder.encode(batch) + encoder.encode(np.ascontiguousarray(batch[:, :, ::-1])))
    total = np.concatenate(parts)
    return np.asarray(total / np.linalg.norm(total, axis=1, keepdims=True), np.float32)


def main() -> None:
    """Command line: one JSON object per alignment."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--index", type=Path, default=Path("../shared/data/faces/index.csv"))
    parser.add_argument("--pixels", type=Path, required=True, help="decoded crops (.npy)")
    parser.add_argument("--models", type=Path, help="models folder; the application's when left out")
    parser.add_argument("--each", type=int, default=12, help="crops of each subject, at most")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    manifest = load_manifest(args.models)
    detector, finder = (
        FaceDetector(manifest.default("face-detector")),
        LandmarkFinder(manifest.default("face-landmarks")),
    )
    known, _, development = read_index(args.index)
    pixels = np.load(args.pixels, mmap_mode="r")
    with args.index.open() as f:
        names = [row["identity"] for row in csv.DictReader(f)]
    rng = np.random.default_rng(5)
    seen: dict[str, int] = {}
    aligned: dict[str, list[Pixels]] = {
        way: [] for way in ("known landmarks", "detector", "closer look", "landmark network")
    }
    subjects, missed = [], 0
    for number in development:
        seen[names[number]] = seen.get(names[number], 0) + 1
        if seen[names[number]] > args.each:
            continue
        image, points = picture(np.asarray(pixels[number]), known[number], rng)
        face = nearest(detector.detect(image), points)
        if face is None:
            missed += 1
            continue
        closer = detector.refine(image, face)
        best = finder.refine(image, closer)
        for way, landmarks in zip(aligned, (points, face.landmarks, closer.landmarks, best.landmarks), strict=True):
            aligned[way].append(align(image, landmarks))
        subjects.append(names[number])
    _, numbers = np.unique(subjects, return_inverse=True)
    encoder = OnnxEncoder(manifest.default("face-encoder"), 1)
    for way, pictures in aligned.items():
        line = {"aligned by": way, "pictures": len(subjects), "missed": missed}
        print(json.dumps(line | summary(embedded(encoder, pictures), numbers, rounds=200)), flush=True)


if __name__ == "__main__":
    main()
