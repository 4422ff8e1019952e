"""One space of two teachers of voices: ``<copy>-joint.npy`` from the embeddings of CAM++ and Resemblyzer.

CAM++'s embedding beside Resemblyzer's, the latter at half weight, turned to the 256 directions of most variance
between clips of one set of recordings and evened out a little: what most voices differ in (sex, age) would
otherwise outweigh what tells two alike ones apart. ``python -m models.training.voice_joint voices voices~1 …``, the
pack itself first: the space is fitted on its training clips and kept in ``joint-space.npz``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .prepare_voices import RATE, default_cache, save

KEPT = 256
WEIGHT = 0.5
"""Typical length of Resemblyzer's part, its set's mean subtracted, relative to that of CAM++."""
WHITENING = 0.2
"""Each direction is divided by its variance to this power; 0.5 would make all vary alike (see ``whiten.py``)."""


def without_source(vectors: NDArray[np.float32], sources: NDArray[np.str_]) -> NDArray[np.float32]:
    """``vectors`` ``[N, D]`` minus the mean of their own source."""
    number = np.unique(sources, return_inverse=True)[1]
    sums = np.zeros((number.max() + 1, vectors.shape[1]), np.float32)
    np.add.at(sums, number, vectors)
    return np.asarray(vectors - (sums / np.bincount(number)[:, None])[number], np.float32)


def fit_space(
    strong: NDArray[np.float32],
    other: NDArray[np.float32],
    sources: NDArray[np.str_],
    kept: int = KEPT,
    whitening: float = WHITENING,
) -> dict[str, NDArray[np.float32]]:
    """``weight`` of the other teacher, ``mean`` ``[D]`` and ``basis`` ``[D, kept]`` of the two side by side."""
    lengths = [np.sqrt(np.square(without_source(part, sources)).sum(1).mean()) for part in (strong, other)]
    weight = np.float32(WEIGHT * lengths[0] / lengths[1])
    together = np.concatenate([strong, weight * other], 1)
    inner = without_source(together, sources)
    power, axes = np.linalg.eigh(inner.T @ inner / len(inner))
    order = np.argsort(-power)[:kept]
    basis = axes[:, order] * (power[order] / power[order].mean()) ** -whitening
    return {"weight": np.array(weight), "mean": together.mean(0), "basis": basis.astype(np.float32)}


def join(
    space: dict[str, NDArray[np.float32]], strong: NDArray[np.float32], other: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The joint embedding ``[N, kept]``; zero where the strong teacher was not asked."""
    together = np.concatenate([strong, space["weight"] * other], 1) - space["mean"]
    return np.where(strong.any(1, keepdims=True), together @ space["basis"], 0.0).astype(np.float32)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("copies", nargs="+", help="voices first, then voices@0.9, voices~1, …")
    parser.add_argument("--cache", type=Path, default=default_cache())
    arguments = parser.parse_args()
    cache: Path = arguments.cache
    for stem in arguments.copies:
        strong, other = (np.load(cache / f"{stem}-{name}.npy") for name in ("campplus", "resemblyzer"))
        file = cache / "joint-space.npz"
        if not file.exists():
            index = np.load(cache / f"{stem}-index.npz")
            taught = (index["split"] != "dev") & (index["length"] >= RATE // 2)
            np.savez(file, **fit_space(strong[taught], other[taught], index["source"][taught]))  # type: ignore[arg-type]
        save(cache / f"{stem}-joint.npy", join(dict(np.load(file)), strong, other))


if __name__ == "__main__":
    main()
