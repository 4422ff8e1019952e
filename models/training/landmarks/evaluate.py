"""How far landmarks lie from the teachers': ``python -m models.training.landmarks.evaluate --help``.

On the development photographs, by size of the face (side of the box in pixels), for faces
that look into the camera. Three references: what the many looks of both teachers agree on,
and one plain look of each teacher, itself a noisy reading: its own distance to the agreement
is the floor below which no ruler made of it can measure. Errors are distances in inter-eye
distances of the reference, the mean of the five landmarks of a face; over faces the mean
with a 95 % bootstrap interval over photographs, and the median.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.detector.consensus import TEACHERS, agree, look, open_teachers
from models.training.detector.data import Floats, Pixels, iou, load_photos
from verify_app.encoders.manifest import load_manifest
from verify_app.face.detector import Face
from verify_app.face.landmarks import LandmarkFinder

SIZES = ((20, 40), (40, 80), (80, 160), (160, 1000), (40, 1000))
Finder = Callable[[Pixels], Floats]


def plain(engine: cv2.FaceDetectorYN) -> Finder:
    """One look of a detector: finds [K, 15]."""
    return lambda image: look(engine, image)


def refined(engine: cv2.FaceDetectorYN, closer: LandmarkFinder) -> Finder:
    """One look of a detector, then the landmark network at every find."""

    def find(image: Pixels) -> Floats:
        finds = look(engine, image)
        for row in finds:
            face = Face(tuple(row[:4]), row[4:14].reshape(5, 2), float(row[14]))  # type: ignore[arg-type]
            row[4:14] = closer.refine(np.ascontiguousarray(image[..., ::-1]), face).landmarks.ravel()
        return finds

    return find


def errors(finds: list[Floats], references: list[Floats]) -> list[NDArray[np.float64]]:
    """Per photograph [K, 2]: size of the face and error, of faces that both found."""
    out = []
    for found, wanted in zip(finds, references, strict=True):
        rows = []
        overlap = iou(wanted, found) if len(found) and len(wanted) else np.zeros((len(wanted), 0))
        for k, face in enumerate(wanted):
            here = face[4:14].reshape(5, 2)
            side, eyes = float(np.sqrt(face[2] * face[3])), float(np.linalg.norm(here[1] - here[0]))
            if overlap.shape[1] and overlap[k].max() >= 0.5 and eyes >= 0.35 * side:
                there = found[int(overlap[k].argmax()), 4:14].reshape(5, 2)
                rows.append((side, float(np.linalg.norm(here - there, axis=1).mean()) / eyes))
        out.append(np.array(rows).reshape(-1, 2))
    return out


def summary(rows: list[NDArray[np.float64]], low: float, high: float) -> dict[str, object]:
    """Mean, its interval and median over faces of a size."""
    chosen = [r[(r[:, 0] >= low) & (r[:, 0] < high), 1] for r in rows]
    every = np.concatenate(chosen)
    rng = np.random.default_rng(0)
    means = []
    for _ in range(1000):
        draw = np.concatenate([chosen[i] for i in rng.integers(0, len(chosen), len(chosen))])
        means.append(draw.mean() if len(draw) else np.nan)
    interval = [round(float(np.nanquantile(means, q)), 4) for q in (0.025, 0.975)]
    return {
        "faces": len(every), "mean": round(float(every.mean()), 4), "interval": interval,
        "median": round(float(np.median(every)), 4),
    }  # fmt: skip


def main() -> None:
    """Command line: one JSON object per finder, reference and size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--models", type=Path, help="models folder; the application's when left out")
    parser.add_argument("--cache", type=Path, required=True, help=".npz file that keeps the agreed landmarks")
    args = parser.parse_args()
    manifest = load_manifest(args.models)
    photos = agree(load_photos(args.shared / "data/detection", "dev"), args.shared / "teachers", args.cache)
    images = [p.pixels() for p in photos]
    ours = cv2.FaceDetectorYN.create(str(manifest.default("face-detector").path), "", (320, 320), 0.6, 0.3)
    closer = LandmarkFinder(manifest.default("face-landmarks"))
    engines = dict(zip(TEACHERS, open_teachers(args.shared / "teachers"), strict=True))
    finders = {"detector": plain(ours), "detector + landmarks": refined(ours, closer)}
    finders |= {name: plain(engine) for name, engine in engines.items()}
    finds = {name: [find(image) for image in images] for name, find in finders.items()}
    references: dict[str, list[Floats]] = {"agreed": [p.certain for p in photos]}
    references |= {name: finds[name] for name in TEACHERS}
    for name, found in finds.items():
        for reference, wanted in references.items():
            if name == reference:
                continue
            rows = errors(found, wanted)
            for low, high in SIZES:
                line = {"finder": name, "reference": reference, "size": [low, high], **summary(rows, low, high)}
                print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
