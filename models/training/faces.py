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
from models.training.made_faces import MadeFaces, load_made_faces
from models.training.prepare_faces import default_cache, read_index
from models.training.task import class_means


def doubtful(teacher: NDArray[np.float32], names: NDArray[np.str_], least: float) -> NDArray[np.bool_]:
    """Which rows ``[N]`` look unlike the others of their name, as the teacher's embeddings ``[N, D]`` see them.

    A row is compared with the mean of the others by cosine; no name, or no others, is no doubt.
    """
    known, number, count = np.unique(names, return_inverse=True, return_counts=True)
    sums = np.zeros((len(known), teacher.shape[1]), np.float32)
    np.add.at(sums, number, teacher)
    others = sums[number] - teacher
    cosine = np.sum(others * teacher, axis=1) / np.maximum(np.linalg.norm(others, axis=1), 1e-9)
    return np.asarray((names != "") & (count[number] > 1) & (cosine < least))


class FaceTask:
    """Training crops (splits ``train`` and ``unlabelled``) and the development crops of the pack.

    Options: ``pack`` (folder), ``cache`` (folder of ``prepare_faces``), ``unlabelled`` (use crops without a label too,
    default true), ``smallest_class`` (identities with fewer crops count as unlabelled), ``doubt_below`` (a crop whose
    cosine to the mean of its identity's other crops, as the teacher sees them, is lower counts as unlabelled; the
    packs' names are not all true; default -1: none), ``class_mean_share`` (0..1: how
    far the teacher's embedding of a labelled crop is moved to the mean of its identity, which keeps what is common to
    the crops of one person; default 0), ``made`` (also the unlabelled faces of ``prepare_made_faces``; default false).
    On a GPU the whole pack lies in its memory (2.9 GB).
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
        names = np.array([rows[n]["identity"] if rows[n]["split"] == "train" else "" for n in self.rows])
        names[doubtful(teacher[self.rows], names, float(data.get("doubt_below", -1.0)))] = ""
        self.labels, self.classes = self._label(names, int(data.get("smallest_class", 2)))
        if not data.get("unlabelled", True):
            known = self.labels >= 0
            self.rows, self.labels = self.rows[known.numpy()], self.labels[known]
        self.teacher: Tensor | None = torch.from_numpy(teacher[self.rows])
        self._lean_on_class_means(float(data.get("class_mean_share", 0.0)))
        self.made: MadeFaces | None = None
        if data.get("made", False):
            self._add_made_faces(cache)
        self.resident: Tensor | None = None
        self.dev_rows = np.array([n for n, row in enumerate(rows) if row["split"] == "dev"])
        subjects = [rows[n]["identity"] for n in self.dev_rows]
        self.dev_subjects = np.unique(subjects, return_inverse=True)[1].astype(np.int64)
        self.dev_teacher: NDArray[np.float32] = teacher[self.dev_rows]
        self.teacher_frames: Tensor | None = None

    @staticmethod
    def _label(names: NDArray[np.str_], smallest: int) -> tuple[Tensor, int]:
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
        self.made, extra = load_made_faces(cache)
        self.rows = np.concatenate([self.rows, len(self.crops) + np.arange(len(self.made.share))])
        self.labels = torch.cat([self.labels, torch.full((len(self.made.share),), -1)])
        self.teacher = extra if self.teacher is None else torch.cat([self.teacher, extra])

    def _stored(self, rows: NDArray[np.int64], device: torch.device) -> Tensor:
        """Stored crops, uint8 ``[B, 128, 128, 3]``."""
        if device.type == "cpu":
            return torch.from_numpy(self.crops[rows])
        if self.resident is None:
            self.resident = torch.from_numpy(np.asarray(self.crops)).to(device)
        return self.resident[torch.from_numpy(rows).to(device, non_blocking=True)]

    def _read(self, rows: NDArray[np.int64], device: torch.device) -> Tensor:
        """Stored crops; rows beyond the pack's are made faces."""
        new = np.flatnonzero(rows >= len(self.crops))
        if self.made is None or not len(new):
            return self._stored(rows, device)
        made = self.made.take(rows[new] - len(self.crops))
        first = rows.copy()
        first[new] = made.first
        read = self._stored(first, device)
        place = torch.from_numpy(new).to(device, non_blocking=True)
        read[place] = made.join(read[place], self._stored(made.second, device))
        return read

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

    def clean_embeddings(self, encoder: nn.Module, device: torch.device, count: int, seed: int) -> Tensor:
        """Unit-length embeddings ``[M, D]`` of at most ``count`` photographed training crops."""
        photographed = int((self.rows < len(self.crops)).sum())
        order = torch.randperm(photographed, generator=torch.Generator().manual_seed(seed))
        drawn = order[:count].sort().values
        return self.embed(encoder, self.rows[drawn.numpy()], device)

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
