"""A comparison of objectives runs each training once, and goes on where it was stopped."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the training extra (torch) is not installed")

from models.training.comparison.plan import from_table  # noqa: E402
from models.training.comparison.run import Runner, passes  # noqa: E402

TABLE: dict[str, Any] = {
    "name": "tiny",
    "size": 16,
    "shown": 16,
    "learning_rates": [5e-3, 1e-3],
    "trial_samples": 32,
    "protocol": {
        "task": "dots",
        "samples": 64,
        "average": 0.9,
        "backbone": {"kind": "residual", "widths": [8], "depths": [1], "stem": 8, "expansion": 16, "dimension": 8},
    },
    "contender": {
        "simclr": {"title": "SimCLR", "signal": "none", "weights": {"simclr": 1.0}},
        "distillation": {
            "title": "Distillation",
            "signal": "teacher",
            "weights": {"distillation": 1.0},
            "seeds": [1, 2],
        },
    },
}

TRAININGS = {
    *(f"simclr-1{end}" for end in ("", "-trial-0.005", "-trial-0.001")),
    *(f"distillation-1{end}" for end in ("", "-trial-0.005", "-trial-0.001")),
    "distillation-2",
}


class Dots:
    """Samples of class ``c`` are images whose colour says ``c``; the teacher has one axis per class."""

    def __init__(self) -> None:
        self.classes = 4
        self.labels = torch.arange(64) % 4
        self.teacher = torch.eye(8)[self.labels]
        self.dev_teacher = self.teacher.numpy()

    def inputs(self, places: Any, size: int, device: Any) -> Any:
        colour = torch.stack([self.labels[places] % 2, self.labels[places] // 2, 0 * places], dim=1)
        return (colour[:, :, None, None] * 200.0 + torch.rand(len(places), 3, size, size) * 40.0).to(device)

    def development(self, encoder: Any, device: Any, size: int) -> Any:
        encoder.eval()
        with torch.no_grad():
            raw = encoder(self.inputs(torch.arange(64), size, device))
        return torch.nn.functional.normalize(raw, dim=1).numpy(), self.labels.numpy().astype(np.int64)


def runner(folder: Path, started: list[str], stop_at: str = "", **changes: Any) -> Runner:
    torch.set_num_threads(1)

    def make_task(experiment: Any) -> Any:
        started.append(experiment.name)
        if experiment.name == stop_at:
            raise KeyboardInterrupt
        return Dots()

    plan = from_table(TABLE | changes)
    say: Callable[[str], None] = lambda text: None  # noqa: E731
    return Runner(plan, folder / "tiny", folder / "results.jsonl", make_task, say)


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]


def test_a_second_start_skips_what_is_finished(tmp_path: Path) -> None:
    first: list[str] = []
    runner(tmp_path, first).everything()
    assert set(first[1:]) == TRAININGS  # the first task serves the references
    found = lines(tmp_path)
    assert [(line["experiment"], line["seed"]) for line in found] == [
        ("comparison/tiny/simclr", 1),
        ("comparison/tiny/distillation", 1),
        ("comparison/tiny/distillation", 2),
    ]
    assert all(line["samples"] == 64 and line["steps"] == 4 for line in found)
    assert found[1]["intervals"]["eer"][0] <= found[1]["development"]["eer"]
    for run in ("untrained", "teacher", "distillation-2"):
        with np.load(tmp_path / "tiny" / run / "development.npz") as stored:
            assert stored["embeddings"].shape == (64, 8)

    second: list[str] = []
    runner(tmp_path, second).everything()
    assert second == []
    assert lines(tmp_path) == found


def test_a_start_after_an_interruption_runs_the_rest_alone(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        runner(tmp_path, [], stop_at="distillation-1").everything()
    assert len(lines(tmp_path)) == 1
    rest: list[str] = []
    runner(tmp_path, rest).everything()
    assert rest == ["distillation-1", "distillation-2"]
    assert len(lines(tmp_path)) == 3


def test_results_left_out_are_recorded_by_a_second_start(tmp_path: Path) -> None:
    replace(runner(tmp_path, []), results=None).everything()
    assert not (tmp_path / "results.jsonl").exists()
    again: list[str] = []
    runner(tmp_path, again).everything()
    assert again == []
    assert len(lines(tmp_path)) == 3


def test_no_training_begins_when_the_time_is_over(tmp_path: Path) -> None:
    started: list[str] = []
    with pytest.raises(TimeoutError, match=r"simclr-1.*left for another start"):
        replace(runner(tmp_path, started), ends=time.monotonic()).everything()
    assert len(started) == 1, "the task of the references alone"


def test_a_training_whose_configuration_changed_starts_again(tmp_path: Path) -> None:
    runner(tmp_path, []).everything()
    again: list[str] = []
    runner(tmp_path, again, protocol=TABLE["protocol"] | {"samples": 96}).everything()
    assert again == ["simclr-1", "distillation-1", "distillation-2"]
    assert [line["samples"] for line in lines(tmp_path)] == [64, 64, 64, 96, 96, 96]


def test_views_and_keys_make_the_passes_of_a_sample() -> None:
    assert passes(["distillation", "triplet"]) == 1
    assert passes(["simclr"]) == 2
    assert passes(["moco"]) == 2
