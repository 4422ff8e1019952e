"""How memory and time of batch jobs grow with the number of files.

    python tests/benchmarks/bench_batch_scale.py [--files 1000 10000 100000] [--kinds verify identify group]

Makes folders of that many files, hard links to 500 different pictures under people's names, enrols 50 people,
and runs each kind of job in a process of its own. Prints the seconds of reading and of scoring, and the
largest resident memory of either stage. The cache serves every picture after its first link, so what is
measured is the engine and not the encoder.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from verify_app.domain import Modality
from verify_app.services.application import Application
from verify_app.services.batch.run import SCORING, run_batch
from verify_app.services.batch.spec import JobKind, JobSpec
from verify_app.services.settings import load_settings

PICTURES, PEOPLE = 500, 50


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--kinds", nargs="+", default=["verify", "identify", "group"])
    parser.add_argument("--one", nargs=4, metavar=("KIND", "HOME", "FOLDER", "OUT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        one_job(JobKind(arguments.one[0]), *map(Path, arguments.one[1:]))
        return
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        pictures = make_pictures(scratch / "pictures")
        enrol_people(scratch / "home", pictures)
        print(f"{'kind':10}{'files':>9}{'read s':>9}{'score s':>9}{'read MiB':>10}{'score MiB':>11}")
        for count in arguments.files:
            folder = link(pictures, scratch / f"files-{count}", count)
            for kind in arguments.kinds:
                row = measure(kind, scratch / "home", folder, scratch / f"{kind}-{count}")
                print(f"{kind:10}{count:>9}{row[0]:>9.1f}{row[1]:>9.1f}{row[2]:>10.0f}{row[3]:>11.0f}", flush=True)


def make_pictures(folder: Path) -> list[Path]:
    """Small textures, each a different one."""
    random = np.random.default_rng(5)
    folder.mkdir()
    paths = [folder / f"{number:03}.png" for number in range(PICTURES)]
    for path in paths:
        coarse = random.integers(0, 255, (8, 8, 3), np.uint8)
        cv2.imwrite(str(path), cv2.resize(coarse, (112, 112), interpolation=cv2.INTER_CUBIC))
    return paths


def enrol_people(home: Path, pictures: list[Path]) -> None:
    """One picture for each person, encoded as an aligned crop and stored by the application's own store."""
    from verify_app.capture.files import load_samples
    from verify_app.services.batch.run import worker_pipeline

    with Application(load_settings(home), warn=lambda text: None) as app:
        pipeline = worker_pipeline(app, Modality.FACE)
        contract = app.contract(Modality.FACE)
        named = {field: getattr(contract, field) for field in contract.__slots__}
        for number in range(PEOPLE):
            sample = load_samples(pictures[number], Modality.FACE)[0]
            _, embedding = pipeline.encode(sample, aligned=True, gates=False)
            person = app.store.add_person(f"person-{number:03}")
            stored = app.store.add_sample(person.id, "face", sample.sha256, "file", "file", {}, None)
            app.store.add_template(person.id, stored.id, "face", named, embedding.vector.astype("<f4").tobytes())


def link(pictures: list[Path], folder: Path, count: int) -> Path:
    """``count`` links, in folders named after the people."""
    for number in range(count):
        place = folder / f"person-{number % PEOPLE:03}"
        if number < PEOPLE:
            place.mkdir(parents=True)
        os.link(pictures[(number * 7) % PICTURES], place / f"{number:06}.png")
    return folder


def measure(kind: str, home: Path, folder: Path, out: Path) -> list[float]:
    """Seconds of reading and scoring, and largest memory in MiB until the end of each."""
    command = [sys.executable, __file__, "--one", kind, str(home), str(folder), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    figures: list[float] = json.loads(done.stdout)
    return figures


def one_job(kind: JobKind, home: Path, folder: Path, out: Path) -> None:
    """Run one job and print its figures as JSON."""
    claim = "folder" if kind is JobKind.VERIFY else ""
    spec = JobSpec.of(kind, Modality.FACE, [folder], claim=claim, gates=False, aligned=True)
    began, stage = time.perf_counter(), [0.0, 0.0]

    def progress(done: int, total: int, message: str = "") -> None:
        if message == SCORING and not stage[0]:
            stage[:] = time.perf_counter(), peak()

    with Application(load_settings(home), warn=lambda text: None) as app:
        run_batch(app, spec, out, progress=progress)
    print(json.dumps([stage[0] - began, time.perf_counter() - stage[0], stage[1], peak()]))


def peak() -> float:
    """Largest resident memory so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
