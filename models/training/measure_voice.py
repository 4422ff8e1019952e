"""Measure a voice encoder on the development speakers: clean, noisy, short, over the telephone.

    python -m models.training.measure_voice ours resemblyzer thin-resnet --model models/voice-encoder/model.onnx

Every encoder hears the same degraded clips. Prints one JSON line per encoder and condition; of a degradation, the
rates with both sides degraded, and under ``probe_only`` those of degraded probes against clean references.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.training.evaluate import Pairs, intervals, rates, summary
from models.training.prepare_voices import RATE, default_cache
from models.training.voice_conditions import SECONDS, Material, Wave, at_least
from models.training.voices import unit

Vectors = NDArray[np.float32]


class Encoder(Protocol):
    """Anything that turns 16 kHz clips into unit vectors."""

    def embed(self, waveforms: Sequence[Wave]) -> Vectors:
        """Unit embeddings ``[N, D]``."""
        ...


class Shipped:
    """An exported voice encoder, a clip at a time on one thread."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session: Any = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def embed(self, waveforms: Sequence[Wave]) -> Vectors:
        """Unit embeddings ``[N, D]``; clips below a second are repeated up to it."""
        return np.concatenate([self.session.run(None, {"waveform": at_least(w, RATE)[None]})[0] for w in waveforms])


def pairs_between(
    references: Vectors, owners: NDArray[np.int64], probes: Vectors, subjects: NDArray[np.int64], itself: bool = True
) -> Pairs:
    """Every probe against every reference; without ``itself``, not against the one in the same row."""
    scores = (probes @ references.T).astype(np.float64)
    kept = np.ones(scores.shape, bool) if itself else ~np.eye(len(probes), len(references), dtype=bool)
    first, second = (side[kept] for side in np.meshgrid(subjects, owners, indexing="ij"))
    order = np.argsort(-scores[kept], kind="stable")
    first, second = first[order], second[order]
    return Pairs(scores[kept][order], first == second, first, second, int(max(owners.max(), subjects.max())) + 1)


def described(pairs: Pairs, rounds: int) -> dict[str, Any]:
    """Rates of the pairs, with intervals if ``rounds`` > 0."""
    found: dict[str, Any] = dict(rates(pairs))
    if rounds:
        found["intervals"] = intervals(pairs, rounds)
    return found


def enrolment(vectors: Vectors, probes: Vectors, material: Material, rounds: int) -> dict[str, Any]:
    """FNMR at FMR 1e-2 with one and with three enrolled clips; probes are 3 s of clips 4 to 8."""
    found: dict[str, Any] = {}
    rows = material.rank >= 3
    people = np.arange(int(material.subjects.max()) + 1)
    for count in (1, 3):
        enrolled = material.rank < count
        references = unit(np.stack([vectors[(material.subjects == person) & enrolled].mean(0) for person in people]))
        result = described(pairs_between(references, people, probes[rows], material.subjects[rows]), rounds)
        low, high = result["intervals"]["tar@fmr=0.01"] if rounds else (np.nan, np.nan)
        found[f"{count} enrolled"] = {
            "fnmr@fmr=0.01": 1 - result["tar@fmr=0.01"],
            "interval": [1 - high, 1 - low],
            "eer": result["eer"],
        }
    return found


def across_sets(ocean: Vectors, subjects: NDArray[np.int64], read: Vectors) -> dict[str, float]:
    """FMR inside the development set and against another set, at the threshold of the first's EER."""
    scores = ocean @ ocean.T
    same = subjects[:, None] == subjects[None, :]
    upper = np.triu(np.ones_like(same), 1)
    mated, other = np.sort(scores[upper & same]), np.sort(scores[upper & ~same])
    thresholds = np.quantile(mated, np.linspace(0, 0.5, 2001))
    fnmr = np.searchsorted(mated, thresholds) / len(mated)
    fmr = 1 - np.searchsorted(other, thresholds) / len(other)
    place = int(np.argmin(np.abs(fnmr - fmr)))
    return {"fmr_within": float(fmr[place]), "fmr_across": float(np.mean(ocean @ read.T >= thresholds[place]))}


def teller(name: str) -> Callable[[str, dict[str, Any]], None]:
    """Prints one JSON line about a condition."""

    def tell(condition: str, found: dict[str, Any]) -> None:
        print(json.dumps({"encoder": name, "condition": condition, **found}), flush=True)

    return tell


def batches(encoder: Encoder) -> Callable[[Sequence[Wave]], Vectors]:
    """Embeds any number of clips, 32 at a time."""

    def embed(waves: Sequence[Wave]) -> Vectors:
        return np.concatenate([encoder.embed(waves[at : at + 32]) for at in range(0, len(waves), 32)])

    return embed


def measure(name: str, encoder: Encoder, material: Material, rounds: int, kept: Path | None) -> None:
    """Print the figures of undegraded clips, a JSON line each. ``kept`` receives the embeddings."""
    tell, embed = teller(name), batches(encoder)
    clean = embed(material.clips)
    read = embed(material.read)
    if kept is not None:
        np.savez(kept, clean=clean, subjects=material.subjects, read=read, readers=material.readers)
    tell("clean", summary(clean, material.subjects, rounds))
    tell("read English, held out, 3 s", summary(read, material.readers, rounds))
    longer, readers = material.read_for(5 * RATE)
    tell("read English, held out, 5 s", {"clips": len(longer), **summary(embed(longer), readers, rounds)})
    tell("across sets", across_sets(clean, material.subjects, read))
    probes = embed([wave[: 3 * RATE] for wave in material.clips])
    tell("enrolment", enrolment(clean, probes, material, rounds))
    few = np.flatnonzero(material.rank < 4)
    tell("clean, 4 clips", summary(clean[few], material.subjects[few], rounds))


def measure_degraded(name: str, encoder: Encoder, material: Material, rounds: int, only: Sequence[str]) -> None:
    """Print the figures of degraded and of short clips; ``only`` names conditions, none means all."""
    tell, embed = teller(name), batches(encoder)
    for seconds in SECONDS:
        if not only or f"{seconds} s" in only:
            waves, subjects = material.joined(seconds)
            tell(f"{seconds} s", {"clips": len(waves), **summary(embed(waves), subjects, rounds)})
    # Four clips a speaker keep the many conditions affordable.
    few = np.flatnonzero(material.rank < 4)
    subjects = material.subjects[few]
    wanted = {name: what for name, what in material.degradations().items() if not only or name in only}
    clean = embed([material.clips[number] for number in few]) if wanted else np.empty(0, np.float32)
    for condition, degrade in wanted.items():
        vectors = embed([degrade(int(number), material.clips[number]) for number in few])
        crossed = pairs_between(clean, subjects, vectors, subjects, itself=False)
        tell(condition, {**summary(vectors, subjects, rounds), "probe_only": described(crossed, rounds)})


def speed(encoder: Encoder, wave: Wave, repeats: int = 10) -> dict[str, float]:
    """Median seconds from waveform to embedding for one clip, by the clock and of processor time."""
    encoder.embed([wave])
    taken = []
    for _ in range(repeats):
        began, busy = time.perf_counter(), time.process_time()
        encoder.embed([wave])
        taken.append((time.perf_counter() - began, time.process_time() - busy))
    clock, processor = np.median(np.array(taken), axis=0)
    return {"clock_seconds": float(clock), "processor_seconds": float(processor)}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("encoders", nargs="+", choices=["ours", "resemblyzer", "campplus", "thin-resnet"])
    parser.add_argument("--model", type=Path, default=Path("models/voice-encoder/model.onnx"))
    parser.add_argument("--thin-resnet", type=Path, default=Path("../shared/teachers/thin_resnet_voxceleb.onnx"))
    parser.add_argument("--cache", type=Path, default=default_cache())
    parser.add_argument("--rounds", type=int, default=200, help="bootstrap rounds; 0: no intervals")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder for the clean embeddings")
    parser.add_argument("--only", nargs="*", default=[], help='degraded conditions, e.g. "babble 5 dB" telephone "1 s"')
    parser.add_argument("--speed-only", action="store_true")
    arguments = parser.parse_args()
    import torch

    from models.training.voice_campplus import CamPlusPlus
    from models.training.voice_teachers import Resemblyzer, ThinResNet

    torch.set_num_threads(arguments.threads)
    makers: dict[str, Callable[[], Encoder]] = {
        "ours": lambda: Shipped(arguments.model, arguments.threads),
        "resemblyzer": Resemblyzer,
        "campplus": CamPlusPlus,
        "thin-resnet": lambda: ThinResNet(arguments.thin_resnet, arguments.threads),
    }
    material = Material(arguments.cache)
    five_seconds = np.concatenate(material.clips[:8])[: 5 * RATE]
    for name in arguments.encoders:
        encoder = makers[name]()
        if not arguments.speed_only:
            kept = arguments.keep / f"{name}.npz" if arguments.keep else None
            if not arguments.only:
                measure(name, encoder, material, arguments.rounds, kept)
            measure_degraded(name, encoder, material, arguments.rounds, arguments.only)
        taken = speed(encoder, five_seconds)
        tell = {"encoder": name, "condition": "a clip of 5 s", "threads": arguments.threads, **taken}
        print(json.dumps(tell), flush=True)


if __name__ == "__main__":
    main()
