"""Photographs and face crops with their labels, read from the research packs.

Both packs are stored zip shards with an index beside them (see the data README). Nothing
is decoded until it is needed; what was decoded is kept, all photographs fit in memory.
"""

from __future__ import annotations

import csv
import json
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]

FACE_SCORE = 0.6  # a labelled box at or above this is a face; below, it is doubtful
CORRECTIONS = Path(__file__).with_name("corrections.json")


@dataclass(frozen=True)
class Photo:
    """One encoded picture. ``faces`` is float32 [K, 15]: box x, y, w, h, ten landmark
    coordinates, label score; in pixels of the picture."""

    name: str
    source: str
    encoded: bytes
    faces: Floats

    def pixels(self) -> Pixels:
        """The picture, uint8 [H, W, 3], BGR; decoded once and kept. Not to be written to."""
        return self._decoded

    @cached_property
    def _decoded(self) -> Pixels:
        return self.decode()

    def decode(self) -> Pixels:
        """The picture as :meth:`pixels` gives it, decoded anew."""
        image = cv2.imdecode(np.frombuffer(self.encoded, np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise ValueError(f"{self.name} cannot be decoded as an image; fetch the pack again.")
        return image.astype(np.uint8, copy=False)

    @property
    def certain(self) -> Floats:
        """The rows of ``faces`` that are faces beyond doubt."""
        return self.faces[self.faces[:, 14] >= FACE_SCORE]


def iou(a: Floats, b: Floats) -> Floats:
    """Overlap [K, L] of boxes whose first four columns are x, y, width, height."""
    a0, b0 = a[:, None, :2], b[None, :, :2]
    a1, b1 = a0 + a[:, None, 2:4], b0 + b[None, :, 2:4]
    inter = np.clip(np.minimum(a1, b1) - np.maximum(a0, b0), 0, None).prod(2)
    union = (a[:, 2] * a[:, 3])[:, None] + (b[:, 2] * b[:, 3])[None] - inter
    return (inter / np.maximum(union, 1e-6)).astype(np.float32)


def _face_rows(faces: list[dict[str, object]], corrected: dict[str, float]) -> Floats:
    """Rows of the labelled faces, with the scores corrected by eye; what is no face is left out."""
    rows = [[*f["box"], *f["landmarks"], f["score"]] for f in faces]  # type: ignore[misc]
    out = np.array(rows, np.float32).reshape(-1, 15)
    for number, score in corrected.items():
        out[int(number), 14] = score
    return out[out[:, 14] > 0]


def load_photos(pack: Path, split: str, corrected: bool = True) -> list[Photo]:
    """The photographs of one split ("train" or "dev") of the detection pack, in label order;
    ``corrected`` applies ``corrections.json``, without it the labels are the teacher's own."""
    labels = json.loads((pack / "labels.json").read_text())
    corrections = json.loads(CORRECTIONS.read_text())["scores"] if corrected else {}
    shards: dict[int, zipfile.ZipFile] = {}
    photos = []
    for row in labels:
        if row["split"] != split:
            continue
        shard = row["shard"]
        if shard not in shards:
            shards[shard] = zipfile.ZipFile(pack / f"detection-{shard:02d}.zip")
        encoded = shards[shard].read(row["file"])
        faces = _face_rows(row["faces"], corrections.get(row["file"], {}))
        photos.append(Photo(row["file"], row["source"], encoded, faces))
    for archive in shards.values():
        archive.close()
    return photos


def load_crops(pack: Path, count: int, seed: int, cache: Path, teacher: Path) -> list[Photo]:
    """``count`` aligned face crops, labelled by the teacher detector.

    The crops widen the range of people, poses and origins. Each is enlarged on a grey
    ground, where the teacher finds its box and landmarks; crops in which it finds no face
    are left out. Labels are cached in ``cache`` (an .npz file), since they never change.
    """
    rng = np.random.default_rng(seed)
    with (pack / "index.csv").open() as f:
        rows = [r for r in csv.DictReader(f) if r["split"] != "dev"]
    by_source: dict[str, list[dict[str, str]]] = {}
    for r in rows:
        by_source.setdefault(r["source"], []).append(r)
    share = count // len(by_source)
    chosen: list[dict[str, str]] = []
    for source in sorted(by_source):
        group = by_source[source]
        chosen += [group[i] for i in rng.permutation(len(group))[:share]]

    shards: dict[str, zipfile.ZipFile] = {}
    encoded: list[bytes] = []
    for r in chosen:
        shard = r["shard"]
        if shard not in shards:
            shards[shard] = zipfile.ZipFile(pack / f"faces-{int(shard):02d}.zip")
        encoded.append(shards[shard].read(r["file"]))
    for archive in shards.values():
        archive.close()

    if cache.exists():
        faces = np.load(cache)["faces"]
    else:
        faces = _label_crops(encoded, teacher)
        cache.parent.mkdir(parents=True, exist_ok=True)
        np.savez(cache, faces=faces)
    if len(faces) != len(encoded):
        raise ValueError(f"{cache} holds {len(faces)} labels for {len(encoded)} crops; delete it to label them again.")
    return [
        Photo(r["file"], "crop", data, face[None])
        for r, data, face in zip(chosen, encoded, faces, strict=True)
        if face[14] >= FACE_SCORE
    ]


def _label_crops(encoded: list[bytes], teacher: Path) -> Floats:
    enlarge, margin, side = 2, 64, 384
    detector = cv2.FaceDetectorYN.create(str(teacher), "", (side, side), 0.5, 0.3)
    faces = np.zeros((len(encoded), 15), np.float32)
    for row, data in zip(faces, encoded, strict=True):
        crop = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        canvas = np.full((side, side, 3), 127, np.uint8)
        big = cv2.resize(crop, None, fx=enlarge, fy=enlarge, interpolation=cv2.INTER_LINEAR)
        canvas[margin : margin + big.shape[0], margin : margin + big.shape[1]] = big
        found = detector.detect(canvas)[1]
        if found is not None:
            best = found[np.argmax(found[:, 2] * found[:, 3])].astype(np.float32)
            best[:14] -= np.array([margin, margin, 0, 0] + [margin] * 10, np.float32)
            row[:14] = best[:14] / enlarge
            row[14] = best[14]
    return faces
