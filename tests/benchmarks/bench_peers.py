"""The encoders and the detector beside other software, on the same files, in one run: time, memory, accuracy.

    python -m tests.benchmarks.bench_peers --peer-python face_recognition=/venv/bin/python \\
        --peer-python resemblyzer=/venv2/bin/python

Peers: MobileFaceNet (ONNX Runtime), YuNet (OpenCV), face_recognition (dlib) and Resemblyzer (PyTorch). The last two are
asked in an interpreter that has them (``pip install dlib-bin face_recognition_models face_recognition
'setuptools<81'``; ``pip install resemblyzer``); without it their rows are left out, and the reason is told. Each
system has a process of its own; they take turns, a few calls each, so that what else the machine does meets all
alike, and the fastest call of each round counts. Accuracy: all pairs of the development split.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from verify_app.encoders.manifest import load_manifest
from verify_app.evaluation.rates import ErrorRates

TOP = Path(__file__).resolve().parents[2]
WORKER = Path(__file__).with_name("bench_peers_worker.py")
CALLS = 3
"""Calls of one turn; the fastest of the later ones is taken, for the first finds cold caches."""


@dataclass
class System:
    """One row: a process that answers orders.

    Attributes:
        name: of the function in the worker.
        title: what the table calls it.
        kind: ``face``, ``detector`` or ``voice``: the rows that are compared.
        model: network file where the worker needs one.
        accurate: whether its vectors are compared too.
        distance: the vectors are compared by Euclidean distance instead of cosine.
    """

    name: str
    title: str
    kind: str
    model: Path = Path()
    accurate: bool = False
    distance: bool = False
    process: Any = field(default=None, repr=False)
    why_not: str = ""

    def start(self, python: str, given: Path, threads: int) -> None:
        """Start the process and wait until it is ready, or keep the reason why it is not."""
        command = [python, str(WORKER), self.name, str(given), "--threads", str(threads), "--model", str(self.model)]
        environment = {"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=TOP,
            env=environment,
        )  # fmt: skip
        answer = self.process.stdout.readline()
        found = json.loads(answer) if answer else {"ready": False, "why": "it ended at once"}
        self.why_not = "" if found["ready"] else found["why"]

    def ask(self, **order: Any) -> dict[str, Any]:
        """One order, one answer."""
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return dict(json.loads(self.process.stdout.readline()))

    def stop(self) -> None:
        """End the process."""
        self.process.stdin.close()
        self.process.wait(timeout=60)


def systems(teachers: Path) -> list[System]:
    """All rows; the first of each kind is what ratios are taken to."""
    ours = load_manifest().default("face-detector").path
    return [
        System("encoder_face", "face encoder, one crop", "face", accurate=True),
        System("ours_face", "face encoder as the application uses it (crop + mirror, quality)", "face", accurate=True),
        System("mobilefacenet", "MobileFaceNet, ONNX Runtime, one crop", "face", teachers / "mobilefacenet.onnx", True),
        System("face_recognition", "face_recognition (dlib), box known", "face", accurate=True, distance=True),
        System("network_detector", "face detector in OpenCV, 640 pixels", "detector", ours),
        System("ours_detector", "face detector as the application uses it", "detector"),
        System("network_detector", "YuNet in OpenCV, 640 pixels", "detector", teachers / "yunet_2023mar.onnx"),
        System("encoder_voice", "voice encoder, waveform to embedding", "voice", accurate=True),
        System("ours_voice", "voice as the application uses it (speech found and checked)", "voice", accurate=True),
        System("resemblyzer_network", "Resemblyzer, waveform to embedding", "voice", accurate=True),
        System("resemblyzer", "Resemblyzer with its trimming of silence", "voice", accurate=True),
    ]


def faces(data: Path, every: int) -> tuple[list[Any], list[str]]:
    """Stored development crops (uint8, 128 × 128 × 3) and their subjects."""
    import cv2

    with (data / "faces" / "index.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["split"] == "dev"][::every]
    files = {
        shard: zipfile.ZipFile(data / "faces" / f"faces-{int(shard):02d}.zip") for shard in {r["shard"] for r in rows}
    }
    pictures = [
        cv2.imdecode(np.frombuffer(files[row["shard"]].read(row["file"]), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        for row in rows
    ]
    return pictures, [row["identity"] for row in rows]


def photographs(data: Path, count: int) -> list[Any]:
    """Development photographs, enlarged to a long side of 640 pixels."""
    import cv2

    rows = json.loads((data / "detection" / "labels.json").read_text(encoding="utf-8"))
    rows = [row for row in rows if row["split"] == "dev" and row["faces"]][:count]
    found = []
    for row in rows:
        with zipfile.ZipFile(data / "detection" / f"detection-{row['shard']:02d}.zip") as archive:
            picture = cv2.imdecode(np.frombuffer(archive.read(row["file"]), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        scale = 640 / max(picture.shape[:2])
        found.append(np.ascontiguousarray(cv2.resize(picture, None, fx=scale, fy=scale)))
    return found


def recordings(data: Path, each: int) -> tuple[list[Any], list[str]]:
    """Development recordings (float32, 16 kHz), so many of each speaker, and their speakers."""
    import soundfile

    with (data / "speech" / "index.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["split"] == "dev"]
    taken: dict[str, int] = {}
    sounds, speakers = [], []
    for row in rows:
        taken[row["speaker"]] = taken.get(row["speaker"], 0) + 1
        if taken[row["speaker"]] > each:
            continue
        with zipfile.ZipFile(data / "speech" / f"speech-{int(row['shard']):02d}.zip") as archive:
            sounds.append(soundfile.read(io.BytesIO(archive.read(row["file"])), dtype="float32")[0])
        speakers.append(row["speaker"])
    return sounds, speakers


def of_five_seconds(sounds: list[Any], count: int) -> list[Any]:
    """Recordings of five seconds, each made of several."""
    whole = np.concatenate(sounds)
    samples = 5 * 16_000
    return [
        np.ascontiguousarray(whole[n * samples : (n + 1) * samples]) for n in range(min(count, len(whole) // samples))
    ]


def accuracy(vectors: Any, subjects: list[str], distance: bool) -> dict[str, float]:
    """EER and TAR at FMR 1e-2 and 1e-3 over all pairs of the inputs that were not refused; how many were."""
    taken = ~np.isnan(vectors).any(axis=1)
    vectors, names = vectors[taken], np.array(subjects)[taken]
    if distance:
        squares = np.square(vectors).sum(1)
        scores = -np.sqrt(np.maximum(squares[:, None] + squares[None, :] - 2 * vectors @ vectors.T, 0))
    else:
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        scores = unit @ unit.T
    same, upper = names[:, None] == names[None, :], np.triu(np.ones(scores.shape, bool), 1)
    rates = ErrorRates(np.sort(scores[same & upper]).astype(float), np.sort(scores[~same & upper]).astype(float))
    found = {f"tar@{fmr:g}": 1 - rates.fnmr_at_fmr(fmr) for fmr in (1e-2, 1e-3)}
    return {"eer": rates.eer(), **found, "refused": int((~taken).sum())}


def take_turns(rows: list[System], rounds: int) -> dict[int, tuple[float, float]]:
    """Median over the rounds of the fastest call, wall and processor seconds, by row."""
    found: dict[int, list[tuple[float, float]]] = {number: [] for number in range(len(rows))}
    for turn in range(rounds + 1):
        for number, row in enumerate(rows):
            answer = row.ask(do="time", start=turn * CALLS, calls=CALLS)
            if turn:  # the first warms up
                found[number].append((min(answer["wall"]), min(answer["processor"])))
    return {number: tuple(np.median(np.array(times), axis=0).tolist()) for number, times in found.items()}


def main() -> None:
    """Measure and print a table for each kind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--teachers", type=Path, default=Path("../shared/teachers"))
    parser.add_argument("--peer-python", action="append", default=[], metavar="PEER=PYTHON")
    parser.add_argument("--kinds", nargs="+", default=["face", "detector", "voice"])
    parser.add_argument("--every", type=int, default=1, help="take each so-manieth face crop")
    parser.add_argument("--recordings", type=int, default=4, help="recordings of each speaker")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--no-accuracy", action="store_true", help="time and memory only")
    arguments = parser.parse_args()
    pythons = dict(given.split("=", 1) for given in arguments.peer_python)
    with tempfile.TemporaryDirectory() as folder:
        for kind in arguments.kinds:
            measure(
                kind, [row for row in systems(arguments.teachers) if row.kind == kind], arguments, pythons, Path(folder)
            )


def measure(kind: str, rows: list[System], arguments: Any, pythons: dict[str, str], folder: Path) -> None:
    """Time, memory and accuracy of the systems of one kind."""
    given, timed_on, subjects = material(kind, arguments)
    both = {name: folder / f"{kind}-{name}.npz" for name in ("all", "timed")}
    for name, arrays in (("all", given), ("timed", timed_on)):
        np.savez(both[name], **{f"{number}": one for number, one in enumerate(arrays)})
    figures: dict[int, dict[str, Any]] = {number: {} for number in range(len(rows))}
    for threads in arguments.threads:
        started = begin(rows, both["timed"], threads, pythons)
        for number, (wall, processor) in take_turns([rows[n] for n in started], arguments.rounds).items():
            figures[started[number]] |= {f"wall {threads}": wall, f"processor {threads}": processor}
        for number in started:
            figures[number][f"memory {threads}"] = rows[number].ask(do="memory")["megabytes"]
            rows[number].stop()
    for number, row in enumerate(rows):
        if row.accurate and not row.why_not and not arguments.no_accuracy:
            row.start(python_of(row, pythons), both["all"], 2)
            row.ask(do="embed", out=str(folder / "vectors.npy"))
            figures[number] |= accuracy(np.load(folder / "vectors.npy"), subjects, row.distance)
            row.stop()
    print_table(rows, figures, arguments.threads)
    print(json.dumps({rows[number].title: values for number, values in figures.items()}), file=sys.stderr)


def material(kind: str, arguments: Any) -> tuple[list[Any], list[Any], list[str]]:
    """What is embedded, what is timed, and whose it is."""
    if kind == "face":
        pictures, subjects = faces(arguments.data, arguments.every)
        return pictures, pictures[:20], subjects
    if kind == "detector":
        found = photographs(arguments.data, 20)
        return found, found, []
    sounds, speakers = recordings(arguments.data, arguments.recordings)
    return sounds, of_five_seconds(sounds, 20), speakers


def begin(rows: list[System], given: Path, threads: int, pythons: dict[str, str]) -> list[int]:
    """Start every system; the numbers of those that are ready."""
    for row in rows:
        row.start(python_of(row, pythons), given, threads)
    return [number for number, row in enumerate(rows) if not row.why_not]


def python_of(row: System, pythons: dict[str, str]) -> str:
    """The interpreter that has the system."""
    return next((python for name, python in pythons.items() if row.name.startswith(name)), sys.executable)


def print_table(rows: list[System], figures: dict[int, dict[str, Any]], threads: list[int]) -> None:
    """Markdown: wall and processor milliseconds, each with its ratio to the first row, megabytes, accuracy."""
    times = [(clock, count) for count in threads for clock in ("wall", "processor")]
    heads = [f"{clock} ms, {count} thread{'s' if count > 1 else ''} (ratio)" for clock, count in times]
    print("\n| | " + " | ".join([*heads, "peak MB", "EER", "TAR at FMR 1e-2", "at 1e-3"]) + " |")
    print("|---|" + "---|" * (len(heads) + 4))
    for number, row in enumerate(rows):
        one = figures[number]
        if row.why_not:
            print(f"| {row.title} | left out: {row.why_not} |")
            continue
        values = [(one[f"{clock} {count}"], figures[0][f"{clock} {count}"]) for clock, count in times]
        cells = [f"{1000 * own:.2f} ({own / first:.2f})" for own, first in values]
        cells.append(f"{max(one[f'memory {count}'] for count in threads):.0f}")
        cells += [f"{100 * one[key]:.2f} %" if key in one else "–" for key in ("eer", "tar@0.01", "tar@0.001")]
        print(f"| {row.title} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
