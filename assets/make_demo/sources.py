"""The photographs the demo faces are blended from, and the encoder that watches over them."""

from __future__ import annotations

import csv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]

MARGIN = 8  # the packed crops are the 112 template with this much around it
TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]], np.float32
)
COLLECTIONS = ("scut", "headshots", "utk", "aaf", "celeba")
PER_COLLECTION = 900
_POINTS = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")


@dataclass(frozen=True)
class Sources:
    """The chosen crops of some people: ``pixels`` uint8 [N, 128, 128, 3] RGB, ``landmarks``
    float32 [N, 5, 2] in pixels of the crop."""

    pixels: Pixels
    landmarks: Floats

    @property
    def inner(self) -> Pixels:
        """The aligned 112 x 112 crops, as an encoder takes them."""
        return self.pixels[:, MARGIN:-MARGIN, MARGIN:-MARGIN]


class Encoder:
    """A face encoder for checks: the teacher, or any encoder of the application's own form."""

    def __init__(self, path: Path) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0]

    def __call__(self, crops: Pixels) -> Floats:
        """Unit embeddings [N, D] of aligned 112 x 112 RGB crops uint8 [N, 112, 112, 3]."""
        if self.input.type == "tensor(uint8)":
            raw = [self.session.run(None, {self.input.name: crop[None]})[0] for crop in crops]
        else:
            mean, spread = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)
            x = ((crops / np.float32(255) - mean) / spread).transpose(0, 3, 1, 2).astype(np.float32)
            both = np.stack([x, x[..., ::-1]], 1)
            raw = [self.session.run(None, {self.input.name: np.ascontiguousarray(v)[None]})[0] for p in both for v in p]
            raw = [a + b for a, b in zip(raw[::2], raw[1::2], strict=True)]
        out = np.concatenate(raw)
        return out / np.linalg.norm(out, axis=1, keepdims=True)


def selection(pack: Path, seed: int) -> list[dict[str, str]]:
    """Index rows of frontal, sharp crops of the collections, one per known identity, in a seeded order."""
    return _frontal(pack, np.random.default_rng(seed))


def load(pack: Path, rows: list[dict[str, str]], members: tuple[int, ...]) -> Sources:
    """The crops at the positions ``members`` of a :func:`selection`."""
    chosen = [rows[i] for i in members]
    return Sources(np.stack(_read(pack, chosen)), np.stack([_landmarks(r) for r in chosen]))


def _landmarks(row: dict[str, str]) -> Floats:
    return np.array([[float(row[f"{p}_{axis}"]) for axis in "xy"] for p in _POINTS], np.float32)


def _frontal(pack: Path, rng: np.random.Generator) -> list[dict[str, str]]:
    with (pack / "index.csv").open() as f:
        rows = [r for r in csv.DictReader(f) if r["split"] != "dev" and r["source"] in COLLECTIONS]
    kept: dict[str, list[dict[str, str]]] = {c: [] for c in COLLECTIONS}
    seen: set[str] = set()
    for r in (rows[i] for i in rng.permutation(len(rows))):
        points = _landmarks(r)
        turned = abs(points[2, 0] - points[[0, 1, 3, 4], 0].mean())
        off = np.linalg.norm(points - TEMPLATE - MARGIN, axis=1).mean()
        usable = turned < 2 and off < 2.5 and float(r["downscale"]) > 1.3 and float(r["detector_score"]) > 0.8
        if usable and len(kept[r["source"]]) < PER_COLLECTION and (not r["identity"] or r["identity"] not in seen):
            kept[r["source"]].append(r)
            seen.add(r["identity"])
    return [r for c in COLLECTIONS for r in kept[c]]


def _read(pack: Path, rows: list[dict[str, str]]) -> list[Pixels]:
    shards: dict[str, zipfile.ZipFile] = {}
    out = []
    for r in rows:
        if r["shard"] not in shards:
            shards[r["shard"]] = zipfile.ZipFile(pack / f"faces-{int(r['shard']):02d}.zip")
        data = np.frombuffer(shards[r["shard"]].read(r["file"]), np.uint8)
        out.append(cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False))
    for archive in shards.values():
        archive.close()
    return out
