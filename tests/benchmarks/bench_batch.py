"""How much of the networks' own speed a batch job keeps, how soon it stops, and what a peer takes for the same folder.

    python tests/benchmarks/bench_batch.py [--folder DIR] [--files 2000] [--faces] [--rounds 3] [--peer COMMAND]

Each round times, one after the other so that both meet the same load of the machine:

- the networks alone, on pictures already in memory, one thread on each core: the encoder on every face and its
  mirror image, as the contract asks; with ``--faces`` (photographs instead of aligned crops) also the detector,
  its closer looks and the landmark network;
- the whole job with an empty cache: list, read, decode, detect, align, measure, encode, encrypt, write down, score,
  report.

The ratio is that of the two rates: of elapsed time, and of processor time, which tells more where other programs
share the machine. "One look" counts one inference for each face, although the contract asks for two; no pipeline
can reach more than half of that rate. ``--peer`` names the ``face_recognition`` command of an environment that has
it; it is run on the same folder, with ten pictures of it as the known people.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import cpu_count, getloadavg
from pathlib import Path

import cv2
import numpy as np

from verify_app.capture.files import load_samples
from verify_app.domain import Modality, Sample
from verify_app.encoders.manifest import load_manifest
from verify_app.encoders.session import OnnxEncoder
from verify_app.face.detector import FaceDetector
from verify_app.face.landmarks import LandmarkFinder
from verify_app.face.pipeline import FacePipeline, FacePolicy
from verify_app.reasons import Cancelled, UnusableInput
from verify_app.services.application import Application
from verify_app.services.batch.run import SCORING, run_batch
from verify_app.services.batch.spec import JobKind, JobSpec
from verify_app.services.settings import load_settings

TOGETHER = 8
CORES = cpu_count() or 1


@dataclass
class Spent:
    """Seconds of the clock and of the processors."""

    wall: float
    processor: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="pictures to use; without it, textures are made")
    parser.add_argument("--files", type=int, default=2000, help="how many textures are made")
    parser.add_argument("--faces", action="store_true", help="photographs: detect faces")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer", default="", metavar="COMMAND", help="face_recognition of another environment")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        folder = arguments.folder or make_pictures(scratch / "pictures", arguments.files)
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        networks = Networks(paths, detect=arguments.faces)
        alone, jobs, one_look = [], [], []
        for number in range(arguments.rounds):
            alone.append(networks.spent())
            jobs.append(job(folder, scratch / f"round-{number}", aligned=not arguments.faces))
            if not arguments.faces:
                one_look.append(networks.spent(mirrored=False))
        print(f"load {getloadavg()[0]:.1f} on {CORES} cores; {len(paths)} files, {arguments.rounds} rounds, medians")
        show("networks alone", alone, len(paths))
        show("batch job", jobs, len(paths))
        compare("ratio", alone, jobs)
        if one_look:
            show("one look alone", one_look, len(paths))
            compare("ratio to one look", one_look, jobs)
        print(f"peak memory        {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:9.0f} MiB")
        stops = [stopping(folder, scratch / f"stop-{number}", aligned=not arguments.faces) for number in range(3)]
        print("cancelled within  ", ", ".join(f"{seconds:.2f} s (kept {kept})" for seconds, kept in stops))
        if arguments.peer:
            print(peer(arguments.peer, paths, scratch / "peer"))


def show(name: str, rounds: list[Spent], files: int) -> None:
    """Print rates."""
    wall = statistics.median(one.wall for one in rounds)
    processor = statistics.median(one.processor for one in rounds)
    print(f"{name:18} {files / wall:9.1f} files/s {processor / files * 1e3:9.2f} ms of processor time a file")


def compare(name: str, alone: list[Spent], jobs: list[Spent]) -> None:
    """Print the ratio of two rates, round by round."""
    wall = statistics.median(one.wall / other.wall for one, other in zip(alone, jobs, strict=True))
    processor = statistics.median(one.processor / other.processor for one, other in zip(alone, jobs, strict=True))
    print(f"{name:18} {wall:9.2f} by the clock {processor:9.2f} by processor time")


def spent(work: Callable[[], object]) -> Spent:
    """What it takes to do something."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return Spent(time.perf_counter() - wall, time.process_time() - processor)


def make_pictures(folder: Path, count: int) -> Path:
    """JPEG textures of 112 × 112 pixels."""
    random = np.random.default_rng(3)
    for number in range(count):
        path = folder / f"{number // 1000:03}" / f"{number:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = random.integers(0, 255, (14, 14, 3), np.uint8)
        cv2.imwrite(str(path), cv2.resize(coarse, (112, 112), interpolation=cv2.INTER_CUBIC))
    return folder


class Networks:
    """The networks of the pipeline and nothing else, on pictures in memory."""

    def __init__(self, paths: list[Path], *, detect: bool) -> None:
        manifest = load_manifest()
        self.samples = [load_samples(path, Modality.FACE)[0] for path in paths] if detect else []
        pipeline = FacePipeline(manifest, threads=1)
        crops = (
            [_crop(pipeline, sample) for sample in self.samples]
            if detect
            else [pipeline.analyse(load_samples(path)[0], aligned=True, gates=False).crop for path in paths]
        )
        self.crops = np.stack([crop for crop in crops if crop is not None])
        self.encoders = [OnnxEncoder(manifest.default("face-encoder"), 1) for _ in range(CORES)]
        self.detectors = [FaceDetector(manifest.default("face-detector")) for _ in range(CORES)]
        self.closer = [LandmarkFinder(manifest.default("face-landmarks")) for _ in range(CORES)] if detect else []
        for encoder in self.encoders:
            encoder.encode(self.crops[:1])

    def spent(self, *, mirrored: bool = True) -> Spent:
        """What one pass over all pictures takes, shared among the cores."""
        before = cv2.getNumThreads()
        cv2.setNumThreads(1)
        try:
            with ThreadPoolExecutor(CORES) as pool:
                return spent(lambda: list(pool.map(lambda core: self._share(core, mirrored), range(CORES))))
        finally:
            cv2.setNumThreads(before)

    def _share(self, core: int, mirrored: bool) -> None:
        for sample in self.samples[core::CORES]:
            found = self.detectors[core].detect(sample.data)
            if found:
                face = self.detectors[core].refine(sample.data, found[0])
                self.closer[core].refine(sample.data, face)
        mine = self.crops[core::CORES]
        for start in range(0, len(mine), TOGETHER):
            part = mine[start : start + TOGETHER]
            self.encoders[core].encode(np.concatenate([part, part[:, :, ::-1]]) if mirrored else part)


def _crop(pipeline: FacePipeline, sample: Sample) -> np.ndarray | None:
    try:
        return pipeline.analyse(sample, faces=FacePolicy.LARGEST, gates=False).crop
    except UnusableInput:
        return None


def job(folder: Path, scratch: Path, *, aligned: bool) -> Spent:
    """A whole job with an empty cache."""
    spec = _spec(folder, aligned)
    with Application(load_settings(scratch / "home"), warn=lambda text: None) as app:
        return spent(lambda: run_batch(app, spec, scratch / "job"))


def stopping(folder: Path, scratch: Path, *, aligned: bool) -> tuple[float, int]:
    """Seconds from the wish to stop until the job has stopped, and how many files are done."""
    stop, asked, kept = threading.Event(), [0.0], [0]

    def progress(done: int, total: int, message: str = "") -> None:
        kept[0] = done
        if done >= total // 3 and message != SCORING and not stop.is_set():
            asked[0] = time.perf_counter()
            stop.set()

    with Application(load_settings(scratch / "home"), warn=lambda text: None) as app:
        try:
            run_batch(app, _spec(folder, aligned), scratch / "job", progress=progress, cancelled=stop.is_set)
        except Cancelled:
            return time.perf_counter() - asked[0], kept[0]
    return 0.0, kept[0]


def _spec(folder: Path, aligned: bool) -> JobSpec:
    return JobSpec.of(
        JobKind.VERIFY, Modality.FACE, [folder], claim="folder", gates=False, aligned=aligned, faces="largest"
    )


def peer(command: str, paths: list[Path], scratch: Path) -> str:
    """What ``face_recognition`` takes for the same files, on every core."""
    if shutil.which(command) is None:
        return f"face_recognition    skipped: there is no command {command}"
    known, unknown = scratch / "known", scratch / "unknown"
    known.mkdir(parents=True)
    unknown.mkdir()
    for number, path in enumerate(paths):
        shutil.copy(path, unknown / f"{number:06}{path.suffix}")
        if number % max(1, len(paths) // 10) == 0:
            shutil.copy(path, known / f"person-{number}{path.suffix}")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run([command, "--cpus", str(CORES), str(known), str(unknown)], capture_output=True, check=False)
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return (
        f"face_recognition   {len(paths) / wall:9.1f} files/s {processor / len(paths) * 1e3:9.2f} ms of processor time"
    )


if __name__ == "__main__":
    main()
