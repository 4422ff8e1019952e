"""How much of the encoder's own speed a batch job keeps, and how flat its memory stays.

    python tests/benchmarks/bench_batch.py [--folder DIR] [--files 2000] [--faces]

In one run: ONNX Runtime alone on crops already in memory (all cores, batches of 32), then the whole job
(read, decode, align, encode, encrypt, write down) on the same pictures as files. Prints the ratio of the
two rates. ``--faces`` lets the job detect faces in photographs instead; the encoder then is a small part.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from verify_app.capture.files import load_samples
from verify_app.domain import Modality
from verify_app.encoders.manifest import load_manifest
from verify_app.encoders.session import OnnxEncoder
from verify_app.services.application import Application
from verify_app.services.batch.run import run_batch
from verify_app.services.batch.spec import JobKind, JobSpec
from verify_app.services.settings import load_settings


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="pictures to use; without it, textures are made")
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--faces", action="store_true", help="detect faces instead of taking aligned crops")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = arguments.folder or make_pictures(Path(name) / "pictures", arguments.files)
        pure = pure_rate(sorted(path for path in folder.rglob("*") if path.is_file())[:512])
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        rate, count = job_rate(folder, Path(name), aligned=not arguments.faces)
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"ONNX Runtime alone   {pure:8.1f} crops/s")
    print(f"batch job            {rate:8.1f} files/s over {count} files")
    print(f"ratio                {rate / pure:8.2f}")
    print(f"memory               {before / 1024:8.0f} MiB before the job, {after / 1024:.0f} MiB at its peak")


def make_pictures(folder: Path, count: int) -> Path:
    """JPEG textures of 112 × 112 pixels."""
    random = np.random.default_rng(3)
    for number in range(count):
        path = folder / f"{number // 1000:03}" / f"{number:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = random.integers(0, 255, (14, 14, 3), np.uint8)
        cv2.imwrite(str(path), cv2.resize(coarse, (112, 112), interpolation=cv2.INTER_CUBIC))
    return folder


def pure_rate(paths: list[Path]) -> float:
    """Crops a second of the encoder alone, best of three passes."""
    crops = np.stack([cv2.resize(load_samples(path, Modality.FACE)[0].data, (112, 112)) for path in paths])
    encoder = OnnxEncoder(load_manifest().default("face-encoder"))
    encoder.encode(crops[:32])
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        for start in range(0, len(crops), 32):
            encoder.encode(crops[start : start + 32])
        seconds.append(time.perf_counter() - began)
    return len(crops) / min(seconds)


def job_rate(folder: Path, scratch: Path, *, aligned: bool) -> tuple[float, int]:
    """Files a second of a whole job with an empty cache, and their number."""
    spec = JobSpec.of(
        JobKind.VERIFY, Modality.FACE, [folder], claim="folder", gates=False, aligned=aligned, faces="largest"
    )
    with Application(load_settings(scratch / "home"), warn=lambda text: None) as app:
        began = time.perf_counter()
        result = run_batch(app, spec, scratch / "job")
        return result.summary["rows"] / (time.perf_counter() - began), result.summary["rows"]


if __name__ == "__main__":
    main()
