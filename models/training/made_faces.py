"""New faces out of pairs of crops: people nobody photographed, whom a teacher can embed all the same.

Half of the faces are blends of two aligned crops; the others join two along a soft seam (eyes of one, mouth of the
other, or left and right). A made face is kept as its two rows and four numbers, and joined when it is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

FILE = "faces-made.npz"


@dataclass(frozen=True)
class MadeFaces:
    """Recipes of ``N`` made faces.

    ``first``, ``second``: int64 ``[N]``, rows of the pack. ``share``: float32 ``[N]``, how much of a blend comes from
    the first crop, 0..1. ``seam``, ``width``: float32 ``[N]``, place and softness of the seam as shares of the side; a
    blend has none, its width is 0. ``across``: bool ``[N]``, the seam runs from top to bottom.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    share: NDArray[np.float32]
    seam: NDArray[np.float32]
    width: NDArray[np.float32]
    across: NDArray[np.bool_]

    def take(self, rows: NDArray[np.int64]) -> MadeFaces:
        """Those of the given numbers."""
        return MadeFaces(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def masks(self, side: int, device: torch.device) -> Tensor:
        """How much of the first crop each pixel takes, float32 ``[N, side, side, 1]`` in 0..1."""

        def column(values: NDArray[np.float32]) -> Tensor:
            return torch.from_numpy(values).to(device, non_blocking=True).view(-1, 1, 1)

        place = torch.linspace(0.0, 1.0, side, device=device)
        across = torch.from_numpy(self.across).to(device, non_blocking=True).view(-1, 1, 1)
        level = torch.where(across, place.view(1, 1, -1), place.view(1, -1, 1))
        width = column(self.width)
        joined = torch.sigmoid((column(self.seam) - level) / width.clamp_min(1e-3))
        return torch.where(width > 0, joined, column(self.share))[..., None]

    def join(self, first: Tensor, second: Tensor) -> Tensor:
        """The made faces of crops that were read already, uint8 ``[N, S, S, 3]`` each."""
        mixed = second.float().lerp(first.float(), self.masks(first.shape[1], first.device))
        return mixed.round_().to(torch.uint8)


def draw(rows: NDArray[np.int64], count: int, generator: np.random.Generator) -> MadeFaces:
    """``count`` recipes, each out of two random ``rows``."""
    seamed = generator.random(count) < 0.5
    return MadeFaces(
        first=generator.choice(rows, count),
        second=generator.choice(rows, count),
        share=generator.uniform(0.35, 0.65, count).astype(np.float32),
        seam=generator.uniform(0.42, 0.62, count).astype(np.float32),
        width=np.where(seamed, generator.uniform(0.02, 0.06, count), 0.0).astype(np.float32),
        across=generator.random(count) < 0.5,
    )


def save_made_faces(cache: Path, made: MadeFaces, teacher: NDArray[np.float32]) -> None:
    """Keep recipes and the teacher's unit-length embeddings ``[N, D]`` in the cache folder."""
    partial = cache / (FILE + ".partial")
    with partial.open("wb") as stream:
        np.savez(stream, teacher=teacher, **vars(made))
    partial.rename(cache / FILE)


def load_made_faces(cache: Path) -> tuple[MadeFaces, Tensor]:
    """What ``save_made_faces`` kept. Raises FileNotFoundError, saying what to run, where nothing is."""
    file = cache / FILE
    if not file.exists():
        raise FileNotFoundError(f"{file} is missing; run python -m models.training.prepare_made_faces")
    with np.load(file) as content:
        parts = {name: content[name] for name in MadeFaces.__dataclass_fields__}
        return MadeFaces(**parts), torch.from_numpy(content["teacher"])
