"""Measure a detector through ``cv2.FaceDetectorYN``: ``python -m models.training.detector.evaluate --help``.

Every photograph is seen at one or more enlargements, as the labels were made, and the
finds of all are merged. Reported on the development photographs:

- recall: share of labelled faces (score at least .6) met by a find with IoU of at least .5;
- landmark error: distance to the labelled landmarks in inter-eye distances, averaged over the five;
  of faces that look into the camera (inter-eye distance at least 0.35 of the side of the box: for
  a profile that unit tends to zero), its mean and 95th centile; of all faces the median;
- false faces: finds that meet no labelled box (doubtful boxes count as met), per photograph
  without any labelled face, and per photograph of every kind.

Intervals are 95 %: Clopper-Pearson for shares, a bootstrap over photographs elsewhere.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from .data import FACE_SCORE, Floats, Photo, Pixels, iou, load_photos


class Detector:
    """``FaceDetectorYN`` at several enlargements, with merged finds."""

    def __init__(self, path: Path, score: float, scales: tuple[float, ...] = (1.0,), overlap: float = 0.3) -> None:
        self.engine = cv2.FaceDetectorYN.create(str(path), "", (320, 320), score, overlap)
        self.scales, self.overlap = scales, overlap

    def __call__(self, image: Pixels) -> Floats:
        """Finds float32 [K, 15] in pixels of ``image`` (uint8 BGR), best score first."""
        finds = []
        for scale in self.scales:
            picture = image if scale == 1.0 else cv2.resize(image, None, fx=scale, fy=scale)
            self.engine.setInputSize((picture.shape[1], picture.shape[0]))
            found = self.engine.detect(picture)[1]
            if found is not None:
                found[:, :14] /= scale
                finds.append(found)
        if not finds:
            return np.zeros((0, 15), np.float32)
        every = np.concatenate(finds)
        every = every[np.argsort(-every[:, 14])]
        kept: list[int] = []
        for i in range(len(every)):
            if not kept or iou(every[i : i + 1], every[kept]).max() < self.overlap:
                kept.append(i)
        return every[kept]


@dataclass
class Match:
    """What one photograph gave: per labelled face its size, whether it looks into the camera, its best
    find's score (0 if none) and landmark error (nan if none); the scores of finds that meet no
    label; whether it has no face."""

    photo: Photo
    sizes: Floats
    frontal: NDArray[np.bool_]
    scores: Floats
    errors: Floats
    false: Floats
    empty: bool


def match(photo: Photo, finds: Floats) -> Match:
    """Compare the finds in a photograph with its labels."""
    certain = photo.certain
    overlap = iou(certain, finds) if len(finds) else np.zeros((len(certain), 0), np.float32)
    scores = np.zeros(len(certain), np.float32)
    errors = np.full(len(certain), np.nan, np.float32)
    for k, face in enumerate(certain):
        if len(finds) and overlap[k].max() >= 0.5:
            best = finds[int(np.argmax(np.where(overlap[k] >= 0.5, finds[:, 14], 0)))]
            here, there = best[4:14].reshape(5, 2), face[4:14].reshape(5, 2)
            scores[k] = best[14]
            errors[k] = np.linalg.norm(here - there, axis=1).mean() / np.linalg.norm(there[1] - there[0])
    near = iou(finds, photo.faces).max(1) if len(finds) and len(photo.faces) else np.zeros(len(finds), np.float32)
    sizes = np.sqrt(certain[:, 2] * certain[:, 3])
    eyes = np.linalg.norm(certain[:, 4:6] - certain[:, 6:8], axis=1)
    return Match(photo, sizes, eyes >= 0.35 * sizes, scores, errors, finds[near < 0.3, 14], len(photo.faces) == 0)


def share_interval(hits: int, trials: int) -> tuple[float, float]:
    """95 % Clopper-Pearson interval of a share."""
    low = float(beta.ppf(0.025, hits, trials - hits + 1)) if hits else 0.0
    high = float(beta.ppf(0.975, hits + 1, trials - hits)) if hits < trials else 1.0
    return low, high


def report(matches: list[Match], threshold: float, smallest: float) -> dict[str, object]:
    """The figures at one score threshold, over faces of at least ``smallest`` pixels (side of the box)."""
    scores = np.concatenate([m.scores[m.sizes >= smallest] for m in matches])
    found = int((scores >= threshold).sum())
    seen = [(m.sizes >= smallest) & (m.scores >= threshold) for m in matches]
    per_photo = [m.errors[s & m.frontal] for m, s in zip(matches, seen, strict=True)]
    errors = np.concatenate(per_photo)
    every = np.concatenate([m.errors[s] for m, s in zip(matches, seen, strict=True)])
    rng = np.random.default_rng(0)
    means = []
    for _ in range(1000):
        draw = np.concatenate([per_photo[i] for i in rng.integers(0, len(per_photo), len(per_photo))])
        means.append(float(draw.mean()))
    empty = [m for m in matches if m.empty]
    fooled = sum(bool((m.false >= threshold).any()) for m in empty)
    return {
        "threshold": threshold,
        "smallest_face": smallest,
        "faces": len(scores),
        "recall": found / len(scores),
        "recall_interval": share_interval(found, len(scores)),
        "landmark_error_mean": float(errors.mean()),
        "landmark_error_interval": (float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))),
        "landmark_error_p95": float(np.quantile(errors, 0.95)),
        "landmark_error_median_of_all": float(np.median(every)),
        "empty_photographs": len(empty),
        "empty_with_false_face": fooled,
        "empty_interval": share_interval(fooled, len(empty)),
        "photographs": len(matches),
        "false_faces": int(sum((m.false >= threshold).sum() for m in matches)),
    }


def measure(path: Path, photos: list[Photo], scales: tuple[float, ...], floor: float = 0.3) -> list[Match]:
    """Run a detector over photographs, keeping finds down to the score ``floor``."""
    detector = Detector(path, floor, scales)
    return [match(p, detector(p.pixels())) for p in photos]


def main() -> None:
    """Command line: one JSON object per detector, threshold and enlargement."""
    parser = argparse.ArgumentParser(description="Measure face detectors on the development photographs.")
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--split", default="dev")
    parser.add_argument("--thresholds", type=float, nargs="+", default=[FACE_SCORE])
    parser.add_argument("--smallest", type=float, nargs="+", default=[0.0, 20.0, 40.0], help="smallest face, in pixels")
    parser.add_argument("--raw-labels", action="store_true", help="the teacher's labels, not corrected by eye")
    args = parser.parse_args()
    photos = load_photos(args.shared / "data/detection", args.split, corrected=not args.raw_labels)
    for path in args.models:
        for scales in ((1.0,), (1.0, 2.0)):
            matches = measure(path, photos, scales)
            for threshold in args.thresholds:
                for smallest in args.smallest:
                    figures = report(matches, threshold, smallest)
                    print(json.dumps({"model": path.name, "scales": scales, **figures}), flush=True)


if __name__ == "__main__":
    main()
