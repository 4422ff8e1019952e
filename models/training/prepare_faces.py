"""Decode the face pack once and cache what the teacher says about it.

Writes three arrays to the cache folder:

- ``faces.npy``: uint8 ``[N, 128, 128, 3]`` RGB, row ``i`` is row ``i`` of ``index.csv``;
- ``faces-teacher.npy``: float32 ``[N, D]``, unit length, crop plus its mirror;
- ``faces-teacher-single.npy``: the same from the crop alone.

Run it once with ``python -m models.training.prepare_faces``.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import zipfile
from concurrent.futures import ThreadPoolExecutor
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
    partial = target.with_suffix(".partial")
    array = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=(len(rows), CROP, CROP, 3))
    shards: dict[str, zipfile.ZipFile] = {}
    for number, row in enumerate(rows):
        name = f"faces-{int(row['shard']):02d}.zip"
        if name not in shards:
            shards[name] = zipfile.ZipFile(pack / name)
        with Image.open(io.BytesIO(shards[name].read(row["file"]))) as image:
            array[number] = np.asarray(image.convert("RGB"))
    array.flush()
    for shard in shards.values():
        shard.close()
    partial.rename(target)


def teacher_input(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Aligned crops ``[N, 112, 112, 3]`` as the teacher's float32 ``[N, 3, 112, 112]`` input."""
    scaled = crops.astype(np.float32) / 255.0
    return np.ascontiguousarray(((scaled - TEACHER_MEAN) / TEACHER_DEVIATION).transpose(0, 3, 1, 2))


def teacher_session(path: Path) -> Any:
    """Open the teacher in ONNX Runtime on one thread; callers run crops side by side."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def run_teacher(session: Any, crops: NDArray[np.uint8], pool: ThreadPoolExecutor) -> NDArray[np.float32]:
    """Unnormalised teacher embeddings ``[N, D]`` of aligned crops ``[N, 112, 112, 3]``.

    The teacher's graph takes one crop at a time, so the crops are spread over ``pool``.
    """
    name = session.get_inputs()[0].name
    rows = pool.map(lambda one: session.run(None, {name: one[None]})[0], teacher_input(crops))
    return np.concatenate(list(rows))


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows scaled to unit Euclidean length."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.maximum(length, 1e-12)).astype(np.float32)


def embed_with_teacher(crops: NDArray[np.uint8], teacher: Path, cache: Path, threads: int) -> None:
    """Cache the teacher's embedding of every crop, alone and summed with its mirror."""
    session = teacher_session(teacher)
    alone, both = [], []
    inner = slice(MARGIN, CROP - MARGIN)
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(crops), 256):
            piece = np.ascontiguousarray(crops[start : start + 256, inner, inner])
            plain = run_teacher(session, piece, pool)
            mirror = run_teacher(session, piece[:, :, ::-1], pool)
            alone.append(unit(plain))
            both.append(unit(plain + mirror))
            if start % 5120 == 0:
                print(f"teacher {start + len(piece)}/{len(crops)}", flush=True)
    np.save(cache / "faces-teacher-single.npy", np.concatenate(alone))
    np.save(cache / "faces-teacher.npy", np.concatenate(both))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pack", type=Path, default=Path("../shared/data/faces"))
    parser.add_argument("--teacher", type=Path, default=Path("../shared/teachers/mobilefacenet.onnx"))
    parser.add_argument("--cache", type=Path, default=default_cache())
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    arguments.cache.mkdir(parents=True, exist_ok=True)
    faces = arguments.cache / "faces.npy"
    if not faces.exists():
        decode_crops(arguments.pack, faces)
        print(f"decoded {faces}", flush=True)
    if not (arguments.cache / "faces-teacher.npy").exists():
        embed_with_teacher(np.load(faces, mmap_mode="r"), arguments.teacher, arguments.cache, arguments.threads)


if __name__ == "__main__":
    main()
