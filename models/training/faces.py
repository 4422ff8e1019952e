"""Faces as a training task: the decoded pack, its degradations, its development split."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from models.training.evaluate import summary
from models.training.export import export_face
from models.training.faces_augment import ALIGNED, FaceAugmentation, augment, crop
from models.training.prepare_faces import default_cache, read_index
from models.training.task import class_means


class FaceTask:
    """Training crops (splits ``train`` and ``unlabelled``) and the development crops of the pack.

    Options: ``pack`` (folder), ``cache`` (folder of ``prepare_faces``), ``unlabelled`` (use crops without a label too,
    default true), ``smallest_class`` (identities with fewer crops count as unlabelled), ``class_mean_share`` (0..1: how
    far the teacher's embedding of a labelled crop is moved to the mean of its identity, which keeps what is common to
    the crops of one person; default 0), ``made`` (also the unlabelled faces of ``prepare_made_faces``; default false).
    Augmentation: the fields of ``FaceAugmentation``, and ``mild_from``: the size from which on crops
    are degraded less.
    """

    def __init__(self, data: dict[str, Any], augmentation: dict[str, Any]) -> None:
        cache = Path(data["cache"]) if "cache" in data else default_cache()
        rows = read_index(Path(data.get("pack", "../shared/data/faces")))
        self.crops: NDArray[np.uint8] = np.load(cache / "faces.npy", mmap_mode="r")
        teacher = np.load(cache / "faces-teacher.npy")
        shares = dict(augmentation)
        self.mild_from = int(shares.pop("mild_from", 1_000))
        self.options = FaceAugmentation(**shares)
        self.rows = np.array([n for n, row in enumerate(rows) if row["split"] in ("train", "unlabelled")])
        self.labels, self.classes = self._label(rows, int(data.get("smallest_class", 2)))
        if not data.get("unlabelled", True):
            known = self.labels >= 0
            self.rows, self.labels = self.rows[known.numpy()], self.labels[known]
        self.teacher: Tensor | None = torch.from_numpy(teacher[self.rows])
        self._lean_on_class_means(float(data.get("class_mean_share", 0.0)))
        self.made: NDArray[np.uint8] = self.crops[:0]
        if data.get("made", False):
            self._add_made_faces(cache)
        self.dev_rows = np.array([n for n, row in enumerate(rows) if row["split"] == "dev"])
        names = [rows[n]["identity"] for n in self.dev_rows]
        self.dev_subjects = np.unique(names, return_inverse=True)[1].astype(np.int64)
        self.dev_teacher: NDArray[np.float32] = teacher[self.dev_rows]

    def _label(self, rows: list[dict[str, str]], smallest: int) -> tuple[Tensor, int]:
        names = [rows[n]["identity"] if rows[n]["split"] == "train" else "" for n in self.rows]
        known, place, counts = np.unique(names, return_inverse=True, return_counts=True)
        kept = (known != "") & (counts >= smallest)
        number = np.where(kept, np.cumsum(kept) - 1, -1)
        return torch.from_numpy(number[place].astype(np.int64)), int(kept.sum())

    def _lean_on_class_means(self, share: float) -> None:
        """Move the targets of labelled crops ``share`` of the way to the mean target of their identity."""
        if self.teacher is None or (means := class_means(self.teacher, self.labels, self.classes)) is None:
            return
        known = self.labels >= 0
        moved = self.teacher[known].lerp(means[self.labels[known]], share)
        self.teacher[known] = functional.normalize(moved, dim=1)

    def _add_made_faces(self, cache: Path) -> None:
        self.made = np.load(cache / "faces-made.npy", mmap_mode="r")
        extra = torch.from_numpy(np.load(cache / "faces-made-teacher.npy"))
        self.rows = np.concatenate([self.rows, len(self.crops) + np.arange(len(self.made))])
        self.labels = torch.cat([self.labels, torch.full((len(self.made),), -1)])
        self.teacher = extra if self.teacher is None else torch.cat([self.teacher, extra])

    def _read(self, rows: NDArray[np.int64], device: torch.device) -> Tensor:
        """Stored crops; rows beyond the pack's are made faces."""
        read = np.empty((len(rows), *self.crops.shape[1:]), np.uint8)
        real = rows < len(self.crops)
        read[real] = self.crops[rows[real]]
        read[~real] = self.made[rows[~real] - len(self.crops)]
        return torch.from_numpy(read).to(device)

    def inputs(self, places: Tensor, size: int, device: torch.device) -> Tensor:
        """Degraded crops ``[B, 3, size, size]``, 0..255."""
        options = self.options.milder() if size >= self.mild_from else self.options
        return augment(self._read(self.rows[places.numpy()], device), size, options)

    @torch.no_grad()
    def embed(self, encoder: nn.Module, rows: NDArray[np.int64], device: torch.device, size: int = ALIGNED) -> Tensor:
        """Unit-length embeddings ``[N, D]`` of pack rows: clean aligned crop at ``size`` pixels."""
        pieces = []
        for start in range(0, len(rows), 64):
            pixels = crop(self._read(rows[start : start + 64], device), size, None).mul_(255.0)
            pieces.append(functional.normalize(encoder(pixels).float(), dim=1).cpu())
        return torch.cat(pieces)

    def evaluate(
        self, encoder: nn.Module, device: torch.device, rounds: int = 0, size: int = ALIGNED
    ) -> dict[str, Any]:
        """Rates on the development split, one unmirrored crop per sample, as the application does."""
        return summary(*self.development(encoder, device, size), rounds)

    def development(
        self, encoder: nn.Module, device: torch.device, size: int = ALIGNED
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Embeddings ``[N, D]`` and subject numbers ``[N]`` of the development split."""
        encoder.eval()
        return self.embed(encoder, self.dev_rows, device, size).numpy(), self.dev_subjects

    def export(self, encoder: nn.Module, path: Path, size: int = ALIGNED) -> None:
        """Write ``path`` with input ``image`` uint8 ``[N, 112, 112, 3]``."""
        export_face(encoder, path, size=size)
