"""What CAM++ says of every 40 ms of the training clips, reduced to what tells voices apart.

Nineteen twentieths of the variance of its inner frames are speech sounds, not voices. A linear discriminant between
clips (Fisher, 1936) finds the directions in which clips differ most, measured by how much moments of one clip
differ; the first 96 are kept, each brought to mean 0 and deviation 1. ``python -m models.training.voice_moments``
writes, after ``prepare_voices`` has made the copies:

- ``moments-basis.npz``: the directions, fitted once on clips of the training splits;
- ``<copy>-moments.npy``: float16 ``[M, 96]``, clip after clip; ``<copy>-moments-ends.npy``: int64 ``[N]``, where each
  clip's moments end;
- ``<copy>-campplus.npy``: float32 ``[N, 192]``, its embeddings, which come with them.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .prepare_voices import default_cache, save
from .voice_campplus import QUARTER, CamPlusPlus, log_mel
from .voice_teachers import RATE, unit

KEPT = 96
FITTED_CLIPS = 512
FITTED_SECONDS = 3
SHORTEST = RATE // 2
BATCH_SECONDS = 40
FARTHEST = 8.0
"""Moments farther than so many deviations are brought back to it."""


def discriminant(frames: NDArray[np.float32], kept: int = KEPT) -> dict[str, NDArray[np.float32]]:
    """``mean`` ``[C]`` and ``basis`` ``[C, kept]`` from moments of several clips, ``[clips, T, C]``.

    ``(moments - mean) @ basis`` has deviation 1 in every direction; the first tells most between clips.
    """
    mean = frames.mean((0, 1))
    of_clips = frames.mean(1)
    within = np.cov((frames - of_clips[:, None]).reshape(-1, frames.shape[2]).T)
    within += np.eye(len(within)) * 1e-4 * np.trace(within) / len(within)
    power, axes = np.linalg.eigh(within)
    whitened = axes / np.sqrt(power)
    between, turned = np.linalg.eigh(np.cov(((of_clips - mean) @ whitened).T))
    basis = whitened @ turned[:, np.argsort(-between)[:kept]]
    basis /= ((frames - mean) @ basis).std((0, 1))
    return {"mean": mean.astype(np.float32), "basis": basis.astype(np.float32)}


def between(frames: NDArray[np.float32]) -> float:
    """Share of the variance of moments ``[clips, T, C]`` that lies between clips."""
    return float(frames.mean(1).var(0).sum() / frames.var((0, 1)).sum())


def moments(teacher: CamPlusPlus, waveforms: Tensor) -> tuple[Tensor, Tensor]:
    """Frames of 40 ms ``[N, T, 512]`` and embeddings ``[N, 192]`` of equally long clips ``[N, samples]``."""
    with torch.autocast(waveforms.device.type, dtype=torch.bfloat16):
        frames = teacher.frames(log_mel(waveforms, teacher.bank))
    frames = frames.float()
    even = frames[:, :, : frames.shape[2] // 2 * 2]
    return even.unflatten(2, (-1, 2)).mean(3).transpose(1, 2), teacher.pooled(frames)


class Copy:
    """One decoded pack of ``prepare_voices``."""

    def __init__(self, cache: Path, stem: str) -> None:
        self.index: dict[str, NDArray[Any]] = dict(np.load(cache / f"{stem}-index.npz"))
        self.audio: NDArray[np.int16] = np.load(cache / f"{stem}.npy", mmap_mode="r")

    def clips(self, rows: list[int], samples: int) -> Tensor:
        """The first ``samples`` of some clips, ``[N, samples]``, full scale 1."""
        starts = self.index["start"][rows]
        together = np.stack([self.audio[start : start + samples] for start in starts])
        return torch.from_numpy(together.astype(np.float32) / 32768)

    def batches(self) -> Iterator[tuple[list[int], int]]:
        """Rows of equal length, in whole quarters of a second, and that length in samples; the longest come last."""
        lengths = self.index["length"] // QUARTER * QUARTER
        wanted = np.flatnonzero(lengths >= SHORTEST)
        for length in np.unique(lengths[wanted]).tolist():
            rows = wanted[lengths[wanted] == length].tolist()
            size = max(BATCH_SECONDS * RATE // length, 1)
            for at in range(0, len(rows), size):
                yield rows[at : at + size], length


def fit_basis(cache: Path, teacher: CamPlusPlus) -> dict[str, NDArray[np.float32]]:
    """Read ``moments-basis.npz``, or fit it on clips of people who are trained on, and write it."""
    file = cache / "moments-basis.npz"
    if not file.exists():
        copy = Copy(cache, "voices")
        usable = np.flatnonzero((copy.index["split"] != "dev") & (copy.index["length"] >= FITTED_SECONDS * RATE))
        rows = np.random.default_rng(1).permutation(usable)[:FITTED_CLIPS].tolist()
        parts = []
        for at in range(0, len(rows), 16):
            waveforms = copy.clips(rows[at : at + 16], FITTED_SECONDS * RATE).to(teacher.device)
            parts.append(moments(teacher, waveforms)[0].cpu().numpy())
        frames = np.concatenate(parts)
        space = discriminant(frames)
        told = (frames - space["mean"]) @ space["basis"]
        print(f"variance between clips: {between(frames):.1%} of all, {between(told):.1%} of what is kept", flush=True)
        np.savez(file, **space)  # type: ignore[arg-type]
    return dict(np.load(file))


@torch.inference_mode()
def write_moments(cache: Path, stem: str, teacher: CamPlusPlus) -> None:
    """Write moments and embeddings of every clip of a copy."""
    space = {name: torch.from_numpy(values).to(teacher.device) for name, values in fit_basis(cache, teacher).items()}
    copy = Copy(cache, stem)
    vectors = np.zeros((len(copy.index["start"]), teacher.dimension), np.float32)
    found: dict[int, NDArray[np.float16]] = {}
    for number, (rows, samples) in enumerate(copy.batches()):
        frames, embeddings = moments(teacher, copy.clips(rows, samples).to(teacher.device))
        told = ((frames - space["mean"]) @ space["basis"]).clamp(-FARTHEST, FARTHEST).half().cpu().numpy()
        vectors[rows] = unit(embeddings.cpu().numpy())
        found |= dict(zip(rows, told, strict=True))
        if number % 50 == 0:
            print(f"{stem} moments: {len(found)} clips", flush=True)
    counts = np.array([len(found[row]) if row in found else 0 for row in range(len(vectors))])
    save(cache / f"{stem}-moments-ends.npy", np.cumsum(counts))
    save(cache / f"{stem}-campplus.npy", vectors)
    save(cache / f"{stem}-moments.npy", np.concatenate([found[row] for row in sorted(found)]))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("copies", nargs="+", help="voices, voices@0.9, voices~1, …")
    parser.add_argument("--cache", type=Path, default=default_cache())
    arguments = parser.parse_args()
    torch.set_flush_denormal(True)
    teacher = CamPlusPlus()
    for stem in arguments.copies:
        if not (arguments.cache / f"{stem}-moments.npy").exists():
            write_moments(arguments.cache, stem, teacher)


if __name__ == "__main__":
    main()
