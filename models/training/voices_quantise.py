"""Write the int8 voice encoder that ships: ``python -m models.training.voices_quantise trained.onnx model.onnx``.

As for faces (``quantise.py``), but the Fourier transform of the front end keeps floats: a spectrum spans more than
8 bits.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.training.faces_precision import widen
from models.training.prepare_voices import RATE, default_cache
from models.training.quantise import quantise
from models.training.voices import Recordings, held_out_speakers


def training_clips(cache: Path, count: int = 120, seconds: int = 3) -> NDArray[np.float32]:
    """``count`` stretches ``[count, T]`` of named training speakers."""
    pack = Recordings(cache, "voices", "resemblyzer")
    index, samples = pack.index, seconds * RATE
    outside = np.isin(index["speaker"], list(held_out_speakers(index)))
    rows = np.flatnonzero((index["split"] == "train") & (index["length"] > samples) & ~outside)
    chosen = np.random.default_rng(0).choice(rows, count, replace=False)
    return np.stack([pack.clip(int(row))[:samples] for row in chosen]).astype(np.float32) / 32768


def quantise_voice(source: Path, target: Path, clips: NDArray[np.float32]) -> None:
    """Write an int8 variant of a file of ``export_voice``, calibrated on ``clips`` ``[N, T]``."""
    with tempfile.TemporaryDirectory() as folder:
        wide = Path(folder) / "wide.onnx"
        widen(source, wide)
        quantise(wide, target, [{"waveform": clip[None]} for clip in clips], keep_float="front_end")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("source", type=Path, help="the encoder with float weights")
    parser.add_argument("target", type=Path, help="where the int8 encoder goes")
    parser.add_argument("--cache", type=Path, default=default_cache())
    arguments = parser.parse_args()
    quantise_voice(arguments.source, arguments.target, training_clips(arguments.cache))
    print(f"wrote {arguments.target}, {arguments.target.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
