"""Make new faces out of pairs of training crops and cache what the teachers say about them.

The pack's identities end, but any picture that looks like a face can be embedded by the teachers, so the student
can be asked about people nobody photographed. Writes ``faces-made.npz`` (``made_faces.py``) to the cache folder.
Run it once, after ``prepare_faces``, with ``python -m models.training.prepare_made_faces``.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from numpy.typing import NDArray

from models.training.made_faces import MadeFaces, draw, save_made_faces
from models.training.prepare_faces import TOGETHER, TeacherSpace, add_arguments, open_teachers, read_index, to_teachers


def images(made: MadeFaces, crops: NDArray[np.uint8], device: str) -> torch.Tensor:
    """The pictures of recipes, uint8 ``[N, 128, 128, 3]``."""
    return made.join(torch.from_numpy(crops[made.first]).to(device), torch.from_numpy(crops[made.second]).to(device))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_arguments(parser)
    parser.add_argument("--count", type=int, default=40_960)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    cache = arguments.cache
    crops = np.load(cache / "faces.npy", mmap_mode="r")
    space = TeacherSpace.load(cache / "faces-space.npz")
    rows = np.array([n for n, row in enumerate(read_index(arguments.pack)) if row["split"] != "dev"])
    made = draw(rows, arguments.count, np.random.default_rng(arguments.seed))
    teachers = open_teachers(arguments)
    found = []
    for start in range(0, arguments.count, TOGETHER):
        piece = made.take(np.arange(start, min(start + TOGETHER, arguments.count)))
        stored = images(piece, crops, arguments.device)
        found.append(space(teachers(to_teachers(stored)).cpu().numpy()))
        if start % (TOGETHER * 20) == 0:
            print(f"made {start + len(stored)}/{arguments.count}", flush=True)
    save_made_faces(cache, made, np.concatenate(found))


if __name__ == "__main__":
    main()
