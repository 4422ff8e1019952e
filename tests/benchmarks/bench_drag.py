"""How long the calibration page takes to follow a dragged line, repainting included.

    python tests/benchmarks/bench_drag.py [--trials 100000]

Prints one JSON object: milliseconds of processor time and of the clock per update, the slowest and the median.
The page must stay within a frame of 16 ms.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
UPDATES = 200


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=100_000)
    trials = parser.parse_args().trials
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
    with tempfile.TemporaryDirectory() as folder:
        os.environ["VERIFY_APP_HOME"] = folder
        print(json.dumps(measure(trials, Path(folder) / "scores.npz")))


def measure(trials: int, file: Path) -> dict[str, float]:
    """Load random trials of 500 people, then move the line over the whole range on each tab that follows it."""
    from verify_app.gui.app import make_application
    from verify_app.gui.session import Session
    from verify_app.gui.window import MainWindow

    rng = np.random.default_rng(0)
    mated = rng.random(trials) < 0.05
    reference = rng.integers(0, 500, trials)
    probe = np.where(mated, reference, (reference + 1 + rng.integers(0, 499, trials)) % 500)
    score = rng.normal(size=trials) * 0.15 + 0.6 * mated
    np.savez(file, score=score, mated=mated, reference_subject=reference, probe_subject=probe)
    application = make_application()
    window = MainWindow(Session(), "calibrate")
    window.show()
    page = window.page
    loaded: list[object] = []
    page.loaded.connect(loaded.append)
    page.sources.load_path("scores", file)
    while not loaded:
        application.processEvents()
        time.sleep(0.01)
    page.tabs.setCurrentWidget(page.det)
    application.processEvents()
    clock, processor = [], []
    for threshold in np.linspace(-0.4, 1.0, UPDATES):
        begin, spent = time.perf_counter(), time.process_time()
        page.preview(float(threshold))
        application.processEvents()
        clock.append(1000 * (time.perf_counter() - begin))
        processor.append(1000 * (time.process_time() - spent))
    window.close()
    return {
        "trials": trials,
        "processor_ms_median": round(float(np.median(processor)), 2),
        "processor_ms_slowest": round(max(processor), 2),
        "clock_ms_median": round(float(np.median(clock)), 2),
        "clock_ms_slowest": round(max(clock), 2),
    }


if __name__ == "__main__":
    main()
