"""Decode the speech and noise packs once and cache what the teachers say about them.

Writes to the cache folder:

- ``voices.npy``: int16, every clip after the other; ``voices-index.npz``: where each begins and who speaks;
- ``noises.npy``: int16 ``[400, 80000]``;
- ``voices-<teacher>.npy``: float32 ``[N, D]``, unit length, one row a clip;
- the same under ``voices@<speed>…`` for speed-perturbed copies, which count as new voices, and under
  ``voices~<number>…`` for copies whose formants were moved besides.

Run it once with ``python -m models.training.prepare_voices``.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

RATE = 16_000
NOISE_SAMPLES = 5 * RATE


def default_cache() -> Path:
    """The cache folder: ``VERIFY_TRAINING_CACHE``, else ``~/.cache/verify-training``."""
    named = os.environ.get("VERIFY_TRAINING_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "verify-training"


def read_index(pack: Path) -> list[dict[str, str]]:
    """Rows of the pack's ``index.csv`` in file order."""
    with (pack / "index.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def decode(archive: zipfile.ZipFile, name: str) -> NDArray[np.int16]:
    """One Ogg/Opus file of ``archive`` as 16 kHz mono int16 ``[T]``."""
    import soundfile

    samples, rate = soundfile.read(io.BytesIO(archive.read(name)), dtype="int16", always_2d=True)
    if rate != RATE:
        import soxr

        return np.asarray(soxr.resample(samples[:, 0], rate, RATE), dtype=np.int16)
    return np.asarray(samples[:, 0], dtype=np.int16)


def save(target: Path, array: NDArray[np.generic]) -> None:
    """Write ``array`` so that a reader never sees half of it."""
    partial = target.with_name(target.name + ".partial")
    with partial.open("wb") as stream:
        np.save(stream, array)
    partial.rename(target)


def decode_speech(pack: Path, cache: Path) -> None:
    """Write ``voices.npy`` and ``voices-index.npz``."""
    rows = read_index(pack)
    names = {row["shard"]: f"speech-{int(row['shard']):02d}.zip" for row in rows}
    shards = {shard: zipfile.ZipFile(pack / name) for shard, name in names.items()}
    with ThreadPoolExecutor() as pool:
        clips = list(pool.map(lambda row: decode(shards[row["shard"]], row["file"]), rows))
    lengths = np.array([len(clip) for clip in clips])
    np.savez(
        cache / "voices-index.npz",
        start=np.concatenate([[0], np.cumsum(lengths)[:-1]]),
        length=lengths,
        source=np.array([row["source"] for row in rows]),
        speaker=np.array([row["speaker"] for row in rows]),
        split=np.array([row["split"] for row in rows]),
    )
    save(cache / "voices.npy", np.concatenate(clips))


def decode_noise(pack: Path, cache: Path) -> None:
    """Write ``noises.npy``; shorter clips are repeated to five seconds."""
    with zipfile.ZipFile(next(pack.glob("noise-*.zip"))) as archive:
        clips = [np.resize(decode(archive, row["file"]), NOISE_SAMPLES) for row in read_index(pack)]
    save(cache / "noises.npy", np.stack(clips))


def move_formants(waveform: NDArray[np.float32], factor: float) -> NDArray[np.float32]:
    """Stretch the spectral envelope of a waveform ``[T]`` by ``factor`` and leave its pitch: another vocal tract.

    The envelope is the smooth part of each frame's logarithmic spectrum, its first 40 cepstral coefficients
    (2.5 ms, less than a period of the voice).
    """
    import torch

    size, window = 1024, torch.hann_window(1024)
    spectrum = torch.stft(torch.from_numpy(waveform), size, size // 4, window=window, return_complex=True).T
    cepstrum = torch.fft.irfft(torch.log(spectrum.abs() + 1e-5), size)
    cepstrum[:, 40:-39] = 0
    envelope = torch.fft.rfft(cepstrum, size).real
    place = torch.arange(size // 2 + 1) / factor
    left = place.long().clamp(max=size // 2 - 1)
    share = (place - left).clamp(max=1.0)
    moved = envelope[:, left] * (1 - share) + envelope[:, left + 1] * share
    changed = spectrum * torch.exp((moved - envelope).clamp(-3.0, 3.0))
    return torch.istft(changed.T, size, size // 4, window=window, length=len(waveform)).numpy()


def save_copy(cache: Path, stem: str, only: Sequence[str], change: Callable[[NDArray[np.int16]], Any]) -> None:
    """Write ``<stem>.npy`` and its index: every training clip, changed.

    ``only`` names sources; the clips of the others are left empty. None named: all.
    """
    index = np.load(cache / "voices-index.npz")
    audio = np.load(cache / "voices.npy", mmap_mode="r")
    clips = []
    wanted = (index["split"] != "dev") & (np.isin(index["source"], only) if only else True)
    for start, length, taken in zip(index["start"], index["length"], wanted, strict=True):
        clips.append(np.asarray(change(audio[start : start + length]) if taken and length else [], np.int16))
    lengths = np.array([len(clip) for clip in clips])
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    np.savez(cache / f"{stem}-index.npz", **{**index, "start": starts, "length": lengths})
    save(cache / f"{stem}.npy", np.concatenate(clips))


def change_speed(cache: Path, speed: float, only: Sequence[str] = ()) -> None:
    """Write ``voices@<speed>.npy``: training clips played ``speed`` times as fast, pitch and all."""
    import soxr

    save_copy(cache, f"voices@{speed}", only, lambda clip: soxr.resample(clip, RATE * speed, RATE))


def change_voice(cache: Path, number: int, only: Sequence[str] = ()) -> None:
    """Write ``voices~<number>.npy``: every clip with a pitch and a vocal tract of its own, by chance."""
    import soxr

    chance = np.random.default_rng(number)

    def change(clip: NDArray[np.int16]) -> NDArray[np.float32]:
        speed, factor = np.exp(chance.uniform(np.log((0.85, 0.87)), np.log((1.2, 1.15))))
        faster = np.asarray(soxr.resample(np.asarray(clip, np.float32), RATE * speed, RATE), np.float32)
        return np.clip(32768 * move_formants(faster / 32768, float(factor)), -32768, 32767)

    save_copy(cache, f"voices~{number}", only, change)


def ask_teacher(cache: Path, name: str, teacher_file: Path, stem: str, batch: int = 48) -> None:
    """Write the embedding of every clip of ``<stem>.npy`` by the teacher ``name``."""
    from .voice_campplus import CamPlusPlus
    from .voice_teachers import Resemblyzer, ThinResNet

    makers: dict[str, Callable[[], Any]] = {
        "resemblyzer": Resemblyzer,
        "campplus": CamPlusPlus,
        "thin-resnet": lambda: ThinResNet(teacher_file),
    }
    teacher = makers[name]()
    index = np.load(cache / f"{stem}-index.npz")
    audio = np.load(cache / f"{stem}.npy", mmap_mode="r")
    vectors = np.zeros((len(index["start"]), teacher.dimension), np.float32)
    order = [row for row in np.argsort(index["length"]) if index["length"][row]]
    for at in range(0, len(order), batch):
        chosen = order[at : at + batch]
        clips = [
            audio[index["start"][row] : index["start"][row] + index["length"][row]].astype(np.float32) / 32768
            for row in chosen
        ]
        vectors[chosen] = teacher.embed(clips)
        if at % (batch * 20) == 0:
            print(f"{stem} {name} {at + len(chosen)}/{len(order)}", flush=True)
    save(cache / f"{stem}-{name}.npy", vectors)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--speech", type=Path, default=Path("../shared/data/speech"))
    parser.add_argument("--noise", type=Path, default=Path("../shared/data/noise"))
    parser.add_argument("--thin-resnet", type=Path, default=Path("../shared/teachers/thin_resnet_voxceleb.onnx"))
    parser.add_argument("--cache", type=Path, default=default_cache())
    parser.add_argument("--speeds", type=float, nargs="*", default=[], help="e.g. 0.9 1.1")
    parser.add_argument("--changed", type=int, nargs="*", default=[], help="numbers of copies with changed voices")
    parser.add_argument("--only", nargs="*", default=[], help="sources of the copies; none: all")
    names = ["resemblyzer", "campplus", "thin-resnet"]
    parser.add_argument("--teachers", nargs="*", choices=names, default=["resemblyzer", "thin-resnet"])
    arguments = parser.parse_args()
    cache: Path = arguments.cache
    cache.mkdir(parents=True, exist_ok=True)
    if not (cache / "voices.npy").exists():
        decode_speech(arguments.speech, cache)
    if not (cache / "noises.npy").exists():
        decode_noise(arguments.noise, cache)
    stems = ["voices"]
    for speed in arguments.speeds:
        stems.append(f"voices@{speed}")
        if not (cache / f"voices@{speed}.npy").exists():
            change_speed(cache, speed, arguments.only)
    for number in arguments.changed:
        stems.append(f"voices~{number}")
        if not (cache / f"voices~{number}.npy").exists():
            change_voice(cache, number, arguments.only)
    for stem in stems:
        for name in arguments.teachers:
            if not (cache / f"{stem}-{name}.npy").exists():
                ask_teacher(cache, name, arguments.thin_resnet, stem)


if __name__ == "__main__":
    main()
