"""The first embedding of a process: nothing slow to import or to compile lies on its path."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

FIRST_EMBEDDING = """
import sys, time
from verify_app.capture.files import load_samples
from verify_app.encoders.manifest import load_manifest
from verify_app.voice.pipeline import VoicePipeline
sample = load_samples("assets/demo/ada/voice-probe-1.ogg")[0]
_, embedding = VoicePipeline(load_manifest(), threads=1).encode(sample)
heavy = sorted({"librosa", "matplotlib", "numba", "PySide6", "sklearn", "torch"} & set(sys.modules))
print(embedding.vector.shape[0], round(time.process_time(), 2), *heavy)
"""


def test_the_first_embedding_compiles_nothing_and_imports_nothing_heavy() -> None:
    run = subprocess.run(
        [sys.executable, "-c", FIRST_EMBEDDING], cwd=ROOT, capture_output=True, text=True, check=True, timeout=300
    )
    dimension, seconds, *heavy = run.stdout.split()
    assert int(dimension) > 0
    assert heavy == []
    # Processor time, so that a busy machine does not count; a fifth of it is usual.
    assert float(seconds) < 2.0
