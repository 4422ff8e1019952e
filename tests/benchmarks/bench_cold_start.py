"""How long the shell tool takes to start, beside bare processes that load the same libraries and models.

Run from the top folder: ``python tests/benchmarks/bench_cold_start.py [A.jpg B.jpg] [--runs 7]``. Without files the
first demo person's are compared. Runs alternate, and the fastest of each counts: other programs only ever add time.
On a busy machine the processor time is the steadier clock.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
LONGEST_HELP = 0.3
LARGEST_RATIO = 1.5

BARE = """
import sys
import cv2, numpy, onnxruntime
detector, encoder = sys.argv[1:]
content = open(detector, "rb").read()
cv2.FaceDetectorYN.create("onnx", numpy.frombuffer(content, numpy.uint8), numpy.empty(0, numpy.uint8), (320, 320))
onnxruntime.InferenceSession(open(encoder, "rb").read(), providers=["CPUExecutionProvider"])
"""

VOICE_BARE = """
import sys
import cv2, numpy, onnxruntime
onnxruntime.InferenceSession(open(sys.argv[1], "rb").read(), providers=["CPUExecutionProvider"])
"""


def seconds(command: Sequence[str]) -> tuple[float, float]:
    """Wall time and processor time of one run."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    environment = {**os.environ, "ORT_DISABLE_TELEMETRY": "1"}  # for both sides alike
    result = subprocess.run(command, cwd=TOP, capture_output=True, env=environment, check=False)
    elapsed = time.perf_counter() - began
    if result.returncode not in (0, 1):
        sys.exit(f"{' '.join(command)}\n{result.stderr.decode()}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return elapsed, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def fastest(commands: dict[str, Sequence[str]], runs: int) -> dict[str, tuple[float, float]]:
    """The fastest run of each command by either clock, the commands taking turns."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for command in commands.values():
        seconds(command)  # fills the file cache
    for _ in range(runs):
        for name, command in commands.items():
            times[name].append(seconds(command))
    return {name: (min(wall for wall, _ in found), min(cpu for _, cpu in found)) for name, found in times.items()}


def main() -> None:
    """Measure and print."""
    sys.path.insert(0, str(TOP))
    from verify_app.encoders.manifest import load_manifest
    from verify_app.services.demo.people import demo_people

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", help="two face images")
    parser.add_argument("--runs", type=int, default=7)
    arguments = parser.parse_args()
    files = arguments.files or [str(file) for file in demo_people()[0].enrol_faces[:2]]
    manifest = load_manifest()
    detector, encoder, voice = (
        str(manifest.default(role).path) for role in ("face-detector", "face-encoder", "voice-encoder")
    )
    tool = [sys.executable, "-m", "verify_app"]
    commands: dict[str, Sequence[str]] = {
        "python": [sys.executable, "-c", "pass"],
        "help": [*tool, "--help"],
        "bare": [sys.executable, "-c", BARE, detector, encoder],
        "compare": [*tool, "compare", *files],
    }
    if not arguments.files:
        commands["bare voice"] = [sys.executable, "-c", VOICE_BARE, voice]
        commands["compare voice"] = [*tool, "compare", *(str(file) for file in demo_people()[0].enrol_voices[:2])]
    found = fastest(commands, arguments.runs)
    print(f"{'':14} {'wall':>8} {'processor':>10}")
    for name, (wall, cpu) in found.items():
        print(f"{name:14} {wall:6.3f} s {cpu:8.3f} s")
    print(f"--help: {found['help'][0]:.3f} s (limit {LONGEST_HELP} s)")
    for kind in ("", " voice"):
        if f"compare{kind}" in found:
            wall, cpu = (found[f"compare{kind}"][clock] / found[f"bare{kind}"][clock] for clock in (0, 1))
            limit = "" if kind else f" (limit {LARGEST_RATIO})"  # finding the speech is work, not start
            print(f"compare{kind} / bare{kind}: {wall:.2f} wall, {cpu:.2f} processor{limit}")


if __name__ == "__main__":
    main()
