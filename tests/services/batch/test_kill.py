"""A job killed at any moment goes on where it was and ends byte-identical to an uninterrupted one."""

from __future__ import annotations

import multiprocessing
import os
import random
import sys
import time
from pathlib import Path

import pytest

from tests.services.batch.killed import run_job

KILLS = int(os.environ.get("VERIFY_APP_KILLS", "12"))
"""How often a job is killed; give 200 for the full exercise."""

FILES = ("results.csv", "summary.json", "report.html")


@pytest.mark.skipif(sys.platform == "win32", reason="needs processes that start within milliseconds")
def test_killed_again_and_again(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VERIFY_APP_PASSPHRASE", "")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.services.batch.killed", "onnxruntime", "cv2"])

    def start(home: Path, out: Path) -> multiprocessing.process.BaseProcess:
        process = context.Process(target=run_job, args=(home, pictures, out))
        process.start()
        return process

    warm = start(tmp_path / "warm-home", tmp_path / "warm")
    warm.join(120)
    began = time.monotonic()
    whole = start(tmp_path / "home", tmp_path / "whole")
    whole.join(120)
    seconds = time.monotonic() - began
    assert whole.exitcode == 0
    expected = [(tmp_path / "whole" / name).read_bytes() for name in FILES]

    chance, killed, rounds = random.Random(11), 0, 0
    while killed < KILLS:
        home, out = tmp_path / f"home-{rounds}", tmp_path / f"out-{rounds}"
        rounds += 1
        while True:
            process = start(home, out)
            # Short lives for most, so that a job is killed many times; long ones reach scoring and the report.
            process.join(seconds * (chance.uniform(0.05, 0.5) if chance.random() < 0.8 else chance.uniform(0.5, 1.2)))
            if process.exitcode is not None or killed == KILLS:
                break
            process.kill()
            process.join()
            killed += 1
        process.join(120)
        assert process.exitcode == 0
        assert [(out / name).read_bytes() for name in FILES] == expected
        assert not (out / "unpacked").exists()
    print(f"{killed} kills in {rounds} jobs of {seconds:.1f} s each")
