"""Make new faces out of pairs of training crops and cache what the teacher says about them.

The pack's identities end, but any picture that looks like a face can be embedded by the teacher, so the student
can be asked about people nobody photographed. Half of the faces are blends of two aligned crops; the others join
two along a soft seam (eyes of one, mouth of the other, or left and right).

Writes to the cache folder ``faces-made.npy`` (uint8 ``[N, 128, 128, 3]``) and ``faces-made-teacher.npy`` (float32
``[N, D]``, unit length, crop plus mirror). Run it once, after ``prepare_faces``, with
``python -m models.training.prepare_made_faces``.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.training.prepare_faces import CROP, MARGIN, default_cache, read_index, run_teacher, teacher_session, unit

PIECE = 256
"""Faces made at a time."""


def masks(count: int, generator: np.random.Generator) -> NDArray[np.float32]:
    """How much of the first crop each pixel takes, ``[count, 128, 128, 1]`` in 0..1."""
    place = np.linspace(0.0, 1.0, CROP, dtype=np.float32)
    down, across = np.meshgrid(place, place, indexing="ij")
    blend = generator.uniform(0.35, 0.65, count).astype(np.float32)
    made = np.broadcast_to(blend[:, None, None], (count, CROP, CROP)).copy()
    for number in np.flatnonzero(generator.random(count) < 0.5):
        level = (down, across)[int(generator.integers(2))]
        seam, width = generator.uniform(0.42, 0.62), generator.uniform(0.02, 0.06)
        made[number] = 1.0 / (1.0 + np.exp((level - seam) / width))
    return made[..., None]


def made_faces(
    crops: NDArray[np.uint8], rows: NDArray[np.int64], count: int, generator: np.random.Generator
) -> NDArray[np.uint8]:
    """``count`` new crops ``[count, 128, 128, 3]``, each out of two random ``rows`` of ``crops``."""
    first, second = (crops[generator.choice(rows, count)].astype(np.float32) for _ in range(2))
    share = masks(count, generator)
    return np.rint(share * first + (1.0 - share) * second).astype(np.uint8)


def embed_both(session: Any, faces: NDArray[np.uint8], pool: ThreadPoolExecutor) -> NDArray[np.float32]:
    """The teacher's unit-length embedding of each stored crop and its mirror, summed."""
    inner = slice(MARGIN, CROP - MARGIN)
    piece = np.ascontiguousarray(faces[:, inner, inner])
    return unit(run_teacher(session, piece, pool) + run_teacher(session, piece[:, :, ::-1], pool))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pack", type=Path, default=Path("../shared/data/faces"))
    parser.add_argument("--teacher", type=Path, default=Path("../shared/teachers/mobilefacenet.onnx"))
    parser.add_argument("--cache", type=Path, default=default_cache())
    parser.add_argument("--count", type=int, default=40_960)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    crops = np.load(arguments.cache / "faces.npy", mmap_mode="r")
    rows = np.array([n for n, row in enumerate(read_index(arguments.pack)) if row["split"] != "dev"])
    generator = np.random.default_rng(arguments.seed)
    session = teacher_session(arguments.teacher)
    target = arguments.cache / "faces-made.npy"
    partial = target.with_suffix(".partial")
    shape = (arguments.count, CROP, CROP, 3)
    stored = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=shape)
    found = []
    with ThreadPoolExecutor(arguments.threads) as pool:
        for start in range(0, arguments.count, PIECE):
            piece = made_faces(crops, rows, min(PIECE, arguments.count - start), generator)
            stored[start : start + len(piece)] = piece
            found.append(embed_both(session, piece, pool))
            if start % (PIECE * 20) == 0:
                print(f"made {start + len(piece)}/{arguments.count}", flush=True)
    stored.flush()
    np.save(arguments.cache / "faces-made-teacher.npy", np.concatenate(found))
    partial.rename(target)


if __name__ == "__main__":
    main()
