"""Measure a voice encoder on the development speakers: clean, noisy, short, over the telephone.

    python -m models.training.measure_voice ours resemblyzer thin-resnet --model models/voice-encoder/model.onnx

Every encoder hears the same degraded clips. Prints one JSON line per encoder and condition. Noise comes from
the clips that training never saw.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.training.evaluate import Pairs, intervals, rates, summary
from models.training.prepare_voices import RATE, default_cache
from models.training.voices import HELD_OUT_CROP, NOISE_HELD_OUT_EVERY, Recordings, held_out_speakers, unit

Wave = NDArray[np.float32]
Vectors = NDArray[np.float32]
Degradation = Callable[[int, Wave], Wave]

RATIOS = (20, 15, 10, 5, 0)
"""Signal-to-noise ratios in dB."""

SECONDS = (1, 2, 3, 5, 10)


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


def at_least(wave: Wave, samples: int) -> Wave:
    """The clip, repeated if it is shorter than ``samples``."""
    return wave if len(wave) >= samples else np.resize(wave, samples)


def mix(speech: Wave, noise: Wave, ratio: float) -> Wave:
    """Speech plus noise at a signal-to-noise ratio in dB over the whole clip."""
    noise = np.resize(noise, len(speech))
    power = float(np.mean(speech**2)) * 10 ** (-ratio / 10)
    return (speech + noise * np.sqrt(power / max(float(np.mean(noise**2)), 1e-12))).astype(np.float32)


def telephone(wave: Wave) -> Wave:
    """300 to 3 400 Hz, 8 kHz, 8-bit mu-law (G.711) and back to 16 kHz."""
    from scipy.signal import butter, resample_poly, sosfiltfilt

    narrow = sosfiltfilt(butter(4, (300, 3_400), "bandpass", fs=RATE, output="sos"), wave)
    low = resample_poly(narrow, 1, 2)
    peak = float(np.abs(low).max()) + 1e-9
    pressed = np.sign(low) * np.log1p(255 * np.abs(low) / peak) / np.log(256)
    steps = np.round(pressed * 127) / 127
    back = np.sign(steps) * np.expm1(np.log(256) * np.abs(steps)) / 255 * peak
    return np.asarray(resample_poly(back, 2, 1), dtype=np.float32)


def mp3(wave: Wave) -> Wave:
    """MPEG-1 layer III at the encoder's strongest compression, and back."""
    import soundfile

    stream = io.BytesIO()
    soundfile.write(stream, wave, RATE, format="MP3", subtype="MPEG_LAYER_III", compression_level=0.99)
    stream.seek(0)
    decoded, _ = soundfile.read(stream, dtype="float32")
    return np.asarray(decoded[: len(wave)], dtype=np.float32)


class Material:
    """Clips of the development speakers and what they are degraded with."""

    def __init__(self, cache: Path) -> None:
        pack = Recordings(cache, "voices", "resemblyzer")
        index = pack.index
        rows = np.flatnonzero(index["split"] == "dev")
        self.subjects = np.unique(index["speaker"][rows], return_inverse=True)[1].astype(np.int64)
        self.clips = [self._float(pack.clip(int(row))) for row in rows]
        self.rank = np.array([int(np.sum(self.subjects[:n] == s)) for n, s in enumerate(self.subjects)])
        self.read: list[Wave] = []
        readers = []
        for number, speaker in enumerate(sorted(held_out_speakers(index))):
            for row in np.flatnonzero(index["speaker"] == speaker):
                clip = self._float(pack.clip(int(row)))
                for part in range(min(5, len(clip) // HELD_OUT_CROP)):
                    self.read.append(clip[part * HELD_OUT_CROP : (part + 1) * HELD_OUT_CROP])
                    readers.append(number)
        self.readers = np.array(readers, dtype=np.int64)
        noises = np.load(cache / "noises.npy", mmap_mode="r")
        self.noises = [self._float(noises[row]) for row in range(0, len(noises), NOISE_HELD_OUT_EVERY)]

    @staticmethod
    def _float(samples: NDArray[np.int16]) -> Wave:
        return np.asarray(samples, dtype=np.float32) / np.float32(32768)

    def recorded(self, ratio: float) -> Degradation:
        """Add a recorded sound at ``ratio`` dB."""

        def degrade(number: int, wave: Wave) -> Wave:
            chance = np.random.default_rng(number)
            noise = self.noises[int(chance.integers(len(self.noises)))]
            return mix(wave, np.roll(noise, int(chance.integers(len(noise)))), ratio)

        return degrade

    def talking(self, ratio: float) -> Degradation:
        """Add four held-out LibriSpeech readers at once at ``ratio`` dB."""

        def degrade(number: int, wave: Wave) -> Wave:
            chance = np.random.default_rng(number)
            voices = [self.read[int(at)] for at in chance.choice(len(self.read), 4, replace=False)]
            noise = sum(voice / (np.sqrt(np.mean(voice**2)) + 1e-6) for voice in voices)
            return mix(wave, np.asarray(noise, dtype=np.float32), ratio)

        return degrade

    def joined(self, seconds: float) -> tuple[list[Wave], NDArray[np.int64]]:
        """Two stretches of exactly ``seconds`` per speaker, cut from disjoint halves of the joined clips."""
        samples = int(seconds * RATE)
        waves, subjects = [], []
        for subject in range(int(self.subjects.max()) + 1):
            own = np.flatnonzero(self.subjects == subject)
            for half in np.array_split(own, 2):
                whole = np.concatenate([self.clips[n] for n in half])
                if len(whole) >= samples:
                    start = (len(whole) - samples) // 2
                    waves.append(whole[start : start + samples])
                    subjects.append(subject)
        return waves, np.array(subjects, dtype=np.int64)


def enrolment(vectors: Vectors, probes: Vectors, material: Material, rounds: int) -> dict[str, Any]:
    """FNMR at FMR 1e-2 with one and with three enrolled clips; probes are 3 s of clips 4 to 8."""
    found: dict[str, Any] = {}
    probe_rows = material.rank >= 3
    for count in (1, 3):
        people = np.arange(int(material.subjects.max()) + 1)
        references = np.stack(
            [vectors[(material.subjects == person) & (material.rank < count)].mean(0) for person in people]
        )
        scores = (probes[probe_rows] @ unit(references).T).ravel().astype(np.float64)
        first = np.repeat(material.subjects[probe_rows], len(people))
        second = np.tile(people, int(probe_rows.sum()))
        order = np.argsort(-scores, kind="stable")
        first, second = first[order], second[order]
        pairs = Pairs(scores[order], first == second, first, second, len(people))
        result = rates(pairs)
        limits = intervals(pairs, rounds)["tar@fmr=0.01"] if rounds else (np.nan, np.nan)
        found[f"{count} enrolled"] = {
            "fnmr@fmr=0.01": 1 - result["tar@fmr=0.01"],
            "interval": [1 - limits[1], 1 - limits[0]],
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
    tell("across sets", across_sets(clean, material.subjects, read))
    probes = embed([wave[: 3 * RATE] for wave in material.clips])
    tell("enrolment", enrolment(clean, probes, material, rounds))
    few = np.flatnonzero(material.rank < 4)
    tell("clean, 4 clips", summary(clean[few], material.subjects[few], rounds))


def measure_degraded(name: str, encoder: Encoder, material: Material, rounds: int, only: Sequence[str]) -> None:
    """Print the figures of degraded and of short clips; ``only`` names conditions, none means all."""
    tell, embed = teller(name), batches(encoder)
    # Four clips a speaker keep the many conditions affordable.
    few = np.flatnonzero(material.rank < 4)
    conditions: dict[str, Degradation] = {
        "telephone": lambda _, wave: telephone(wave),
        "mp3": lambda _, wave: mp3(wave),
    }
    for ratio in RATIOS:
        conditions[f"recorded noise {ratio} dB"] = material.recorded(ratio)
        conditions[f"babble {ratio} dB"] = material.talking(ratio)
    for seconds in SECONDS:
        if not only or f"{seconds} s" in only:
            waves, subjects = material.joined(seconds)
            tell(f"{seconds} s", {"clips": len(waves), **summary(embed(waves), subjects, rounds)})
    for condition, degrade in conditions.items():
        if only and condition not in only:
            continue
        vectors = embed([degrade(int(number), material.clips[number]) for number in few])
        tell(condition, summary(vectors, material.subjects[few], rounds))


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
    parser.add_argument("encoders", nargs="+", choices=["ours", "resemblyzer", "thin-resnet"])
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

    from models.training.voice_teachers import Resemblyzer, ThinResNet

    torch.set_num_threads(arguments.threads)
    makers: dict[str, Callable[[], Encoder]] = {
        "ours": lambda: Shipped(arguments.model, arguments.threads),
        "resemblyzer": Resemblyzer,
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
