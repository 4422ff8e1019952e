"""Ctrl-C: exit code 130, one word, no traceback, whatever is running."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.cli.conftest import environment

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")


def _start(tmp_path: Path, models: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "verify_app", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=environment(tmp_path, VERIFY_APP_MODELS=str(models)),
    )


@pytest.mark.parametrize("as_json", [False, True])
def test_a_long_evaluation_is_cancelled(tmp_path: Path, tiny_models: Path, as_json: bool) -> None:
    picture = cv2.resize(np.random.default_rng(0).integers(0, 255, (7, 7, 3), np.uint8), (1500, 1500))
    cv2.imwrite(str(tmp_path / "0.png"), picture)
    rows = ["reference,probe,mated"]
    for number in range(1, 3000):
        (tmp_path / f"{number}.png").symlink_to(tmp_path / "0.png")
        rows.append(f"0.png,{number}.png,{number % 2}")
    (tmp_path / "t.csv").write_text("\n".join(rows), encoding="utf-8")

    arguments = ["evaluate", "t.csv", "--aligned", "--modality", "face", *["--json"] * as_json]
    process = _start(tmp_path, tiny_models, *arguments)
    assert process.stderr is not None
    first = process.stderr.readline()
    assert first.startswith("embedding: "), "it is in the middle of its work"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=300)

    assert process.returncode == 130
    assert "Traceback" not in err
    if as_json:
        assert json.loads(out)["reason"]["code"] == "cancelled"
    else:
        assert "Cancelled." in err
