"""Time voice encoder files against the Resemblyzer package, from a waveform of 5 s to its embedding.

    python -m models.training.voices_speed models/voice-encoder/model.onnx other.onnx

Everybody is timed in turns in one process, so that a busy moment strikes all alike, and warms up before each turn, so
that nobody pays for what the one before left in the caches. The package needs
``pip install resemblyzer 'setuptools<81'``; its own preparation (resampling, loudness, pauses) counts, as it needs it.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from models.training.measure_voice import Shipped
from models.training.prepare_voices import RATE, default_cache
from models.training.voice_conditions import Material, Wave


def package() -> Callable[[Wave], Any]:
    """The Resemblyzer package as its users call it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from resemblyzer import VoiceEncoder, preprocess_wav
    network = VoiceEncoder("cpu", verbose=False)
    return lambda wave: network.embed_utterance(preprocess_wav(wave, RATE))


def times(embedders: dict[str, Callable[[Wave], Any]], wave: Wave, rounds: int) -> dict[str, tuple[float, float]]:
    """Median milliseconds of one call by the clock and of processor time, measured in turns."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in embedders}
    for number in range(rounds + 1):
        for name, embed in embedders.items():
            embed(wave)
            clock, processor = time.perf_counter(), time.process_time()
            embed(wave)
            if number >= 1:
                taken[name].append((time.perf_counter() - clock, time.process_time() - processor))
    medians = {name: np.median(values, axis=0) * 1e3 for name, values in taken.items()}
    return {name: (float(clock), float(processor)) for name, (clock, processor) in medians.items()}


def encoder(path: Path, threads: int) -> Callable[[Wave], Any]:
    """A file as the application runs it."""
    network = Shipped(path, threads)
    return lambda wave: network.embed([wave])


def main() -> None:
    """Command line."""
    import torch

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--cache", type=Path, default=default_cache())
    parser.add_argument("--rounds", type=int, default=30)
    arguments = parser.parse_args()
    wave = np.concatenate(Material(arguments.cache).clips[:8])[: 5 * RATE]
    resemblyzer = package()
    print("| | threads | size | clock, ms | processor, ms | of Resemblyzer's clock | of its processor time |")
    print("|---|---|---|---|---|---|---|")
    for threads in (1, 2):
        torch.set_num_threads(threads)
        embedders = {str(path): encoder(path, threads) for path in arguments.files}
        found = times({**embedders, "Resemblyzer": resemblyzer}, wave, arguments.rounds)
        base = found["Resemblyzer"]
        for name, (clock, processor) in found.items():
            size = f"{Path(name).stat().st_size / 1e6:.2f} MB" if name in embedders else "–"
            shares = f"{clock / base[0]:.2f} | {processor / base[1]:.2f}"
            print(f"| {name} | {threads} | {size} | {clock:.1f} | {processor:.1f} | {shares} |", flush=True)


if __name__ == "__main__":
    main()
