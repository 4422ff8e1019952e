"""Where a detector finds faces and where not: ``python -m models.training.detector.conditions --help``.

One look each at the development photographs through ``cv2.FaceDetectorYN``, next to another
detector on the same pictures: recall by source, under a painted mask, by size of the face (photographs with one
clear face, scaled until it has so many pixels), by roll (the photograph turned about its
middle, faces that stay in view), photographs without a face that fool it, by threshold, and
the processor time of one look at 640 × 640.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import cv2
import numpy as np

from .augment import mask_outline, transform_faces
from .data import FACE_SCORE, Floats, Photo, Pixels, iou, load_photos
from .evaluate import Detector, share_interval

SIDES = (20, 30, 40, 80, 160, 320, 600)
ROLLS = (-40, -20, 20, 40)
THRESHOLDS = (0.5, 0.6, 0.65, 0.7, 0.8)
LARGE = 40.0  # faces of at least so many pixels are counted under roll and by source
Picture = tuple[Pixels, Floats]


def turned(photo: Photo, degrees: float) -> Picture:
    """The photograph turned about its middle on a canvas that holds all of it, and its certain faces."""
    image = photo.pixels()
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1.0)
    across, down = np.abs(matrix[:, :2]) @ [width, height]
    matrix[:, 2] += [(across - width) / 2, (down - height) / 2]
    canvas = cv2.warpAffine(image, matrix, (round(across), round(down)), borderMode=cv2.BORDER_REPLICATE)
    return canvas.astype(np.uint8, copy=False), transform_faces(photo.certain, matrix, False)


def scaled(photo: Photo, side: float) -> Picture:
    """The photograph of one face, scaled until the face has so many pixels a side."""
    image = photo.pixels()
    face = photo.certain[0]
    scale = side / float(np.sqrt(face[2] * face[3]))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    picture = cv2.resize(image, None, fx=scale, fy=scale, interpolation=method)
    out = photo.certain.copy()
    out[:, :14] *= scale
    return picture.astype(np.uint8, copy=False), out


def masked(photo: Photo, rng: np.random.Generator) -> Picture:
    """The photograph with a cloth of one colour painted over nose, mouth and chin of every certain face."""
    image = photo.pixels().copy()
    for face in photo.certain:
        colour = tuple(float(v) for v in rng.uniform(40, 255, 3))
        outline = np.round(mask_outline(face[4:14].reshape(5, 2), rng)).astype(np.int32)
        cv2.fillPoly(image, [outline], colour, lineType=cv2.LINE_AA)
    return image, photo.certain


def recall(detector: Detector, pictures: list[Picture], smallest: float = 0.0) -> dict[str, object]:
    """Share of the faces met by a find with IoU of at least .5, and its interval."""
    hits = faces = 0
    for image, rows in pictures:
        wanted = rows[np.sqrt(rows[:, 2] * rows[:, 3]) >= smallest]
        if len(wanted):
            finds = detector(image)
            hits += int((iou(wanted, finds).max(1) >= 0.5).sum()) if len(finds) else 0
            faces += len(wanted)
    low, high = share_interval(hits, faces)
    return {"faces": faces, "recall": round(hits / faces, 4), "interval": [round(low, 4), round(high, 4)]}


def milliseconds(detectors: dict[str, Detector], rounds: int = 60) -> dict[str, float]:
    """Median processor time of one look at a photograph of 640 × 640, in turn, one thread."""
    image = np.random.default_rng(0).integers(0, 256, (640, 640, 3), np.uint8)
    spent: dict[str, list[float]] = {name: [] for name in detectors}
    for _ in range(rounds):
        for name, detector in detectors.items():
            began = time.thread_time()
            detector(image)
            spent[name].append(1000 * (time.thread_time() - began))
    return {name: round(float(np.median(times)), 2) for name, times in spent.items()}


def main() -> None:
    """Command line: one JSON object per detector and condition."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", type=Path, nargs="+", help="detectors to compare")
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--every", type=int, default=1, help="turn and scale only each n-th photograph")
    parser.add_argument("--threshold", type=float, default=FACE_SCORE)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    photos = load_photos(args.shared / "data/detection", "dev")
    faces = [p for p in photos if len(p.certain)]
    single = [p for p in faces if len(p.faces) == 1 and np.sqrt(p.certain[0, 2] * p.certain[0, 3]) >= 80]
    single = single[:: args.every][:100]
    detectors = {str(path): Detector(path, args.threshold) for path in args.models}
    pictures = {
        f"source {s}": [(p.pixels(), p.certain) for p in faces if p.source == s]
        for s in sorted({p.source for p in faces})
    }
    pictures |= {f"roll {degrees}": [turned(p, degrees) for p in faces[:: args.every]] for degrees in ROLLS}
    rng = np.random.default_rng(0)
    pictures["painted masks"] = [masked(p, rng) for p in faces]
    for condition, chosen in pictures.items():
        for name, detector in detectors.items():
            print(json.dumps({"model": name, "condition": condition, **recall(detector, chosen, LARGE)}), flush=True)
    for side in SIDES:
        chosen = [scaled(p, side) for p in (single if side <= 320 else single[:40])]
        for name, detector in detectors.items():
            print(json.dumps({"model": name, "condition": f"size {side}", **recall(detector, chosen)}), flush=True)
    empty = [p.pixels() for p in photos if not len(p.faces)]
    for path in args.models:
        detector = Detector(path, min(THRESHOLDS))
        best = [max(detector(image)[:, 14], default=0.0) for image in empty]
        for threshold in THRESHOLDS:
            fooled = int((np.array(best) >= threshold).sum())
            line = {
                "threshold": threshold,
                "empty": len(empty),
                "fooled": fooled,
                "interval": share_interval(fooled, len(empty)),
            }
            print(json.dumps({"model": str(path), **line}), flush=True)
    print(json.dumps({"milliseconds at 640": milliseconds(detectors)}), flush=True)


if __name__ == "__main__":
    main()
