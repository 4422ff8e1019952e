"""The training loop on a tiny synthetic task: it learns, it resumes exactly, it refuses bad files."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the training extra (torch) is not installed")

from models.training import loop  # noqa: E402
from models.training.config import Experiment, load, parse  # noqa: E402
from models.training.evaluate import summary  # noqa: E402
from models.training.sampler import Sampler  # noqa: E402
from models.training.schedule import learning_rate, stage_at  # noqa: E402
from models.training.task import class_means  # noqa: E402

TABLE: dict[str, Any] = {
    "name": "tiny",
    "task": "dots",
    "minutes": 0.05,
    "learning_rate": 5e-3,
    "average": 0.9,
    "backbone": {"kind": "residual", "widths": [8], "depths": [1], "stem": 8, "expansion": 16, "dimension": 8},
    "objectives": {"distillation": {}, "am_softmax": {}, "moco": {"queue": 32}, "simclr": {}},
    "stage": [
        {"until": 0.5, "size": 16, "batch": 16, "weights": {"distillation": 1.0, "moco": 0.1}},
        {"until": 1.0, "size": 24, "batch": 16, "weights": {"distillation": 1.0, "am_softmax": 0.1, "simclr": 0.1}},
    ],
}


class Dots:
    """Samples of class ``c`` are images whose colour says ``c``; the teacher has one axis per class."""

    def __init__(self) -> None:
        self.classes = 4
        self.labels = torch.arange(64) % 4
        self.teacher = torch.eye(8)[self.labels]
        self.exported: list[int] = []

    def inputs(self, places: Any, size: int, device: Any) -> Any:
        colour = torch.stack([self.labels[places] % 2, self.labels[places] // 2, 0 * places], dim=1)
        return (colour[:, :, None, None] * 200.0 + torch.rand(len(places), 3, size, size) * 40.0).to(device)

    def evaluate(self, encoder: Any, device: Any, rounds: int, size: int) -> dict[str, Any]:
        encoder.eval()
        with torch.no_grad():
            raw = encoder(self.inputs(torch.arange(64), size, device))
        vectors = torch.nn.functional.normalize(raw, dim=1).numpy()
        return summary(vectors, self.labels.numpy().astype(np.int64), rounds)

    def export(self, encoder: Any, path: Path, size: int) -> None:
        self.exported.append(size)


def experiment(**changes: Any) -> Experiment:
    return parse(copy.deepcopy(TABLE) | changes)


def trainer(given: Experiment | None = None) -> loop.Trainer:
    torch.set_num_threads(1)
    return loop.Trainer(given or experiment(), Dots(), torch.device("cpu"))


def test_a_short_training_learns_its_task_within_the_time_it_was_given(tmp_path: Path) -> None:
    subject = trainer(experiment(minutes=0.08))
    told: list[str] = []
    loop.train(subject, tmp_path, told.append)
    assert subject.share == 1.0
    assert subject.progress.elapsed < 0.08 * 60 + 2.0
    assert loop.evaluate(subject)["eer"] < 0.05
    assert (tmp_path / "checkpoint.pt").exists()


@pytest.mark.parametrize(("objective", "passes"), [("distillation", 1), ("simclr", 2), ("moco", 2)])
def test_a_budget_of_samples_counts_every_view_and_key(tmp_path: Path, objective: str, passes: int) -> None:
    stage = {"until": 1.0, "size": 16, "batch": 16 // passes, "weights": {objective: 1.0}}
    subject = trainer(experiment(minutes=0.0, samples=160, stage=[stage]))
    loop.train(subject, tmp_path, print)
    assert (subject.progress.samples, subject.progress.step) == (160, 10)


def test_am_softmax_starts_from_the_teacher_unless_its_centres_are_to_be_random() -> None:
    from_teacher = trainer().objectives.parts["am_softmax"].centres
    assert torch.allclose(from_teacher, torch.eye(8)[:4])
    random = trainer(experiment(objectives=TABLE["objectives"] | {"am_softmax": {"centres": "random"}}))
    assert float((random.objectives.parts["am_softmax"].centres - from_teacher).detach().abs().max()) > 0.1


def test_a_resumed_training_takes_the_very_same_steps(tmp_path: Path) -> None:
    # Time decides the stage and rate, so both run on a clock that says 1 % per step.
    def advance(subject: loop.Trainer, steps: int) -> list[float]:
        losses = []
        for _ in range(steps):
            subject.progress.elapsed = subject.progress.step * 0.01 * subject.experiment.minutes * 60.0
            losses.append(subject.step()["loss"])
        return losses

    whole = trainer()
    advance(whole, 46)
    whole.save(tmp_path / "checkpoint.pt")
    expected = advance(whole, 8)  # crosses from the first stage into the second
    resumed = trainer()
    resumed.restore(tmp_path / "checkpoint.pt")
    assert advance(resumed, 8) == expected
    assert resumed.sampler.epochs == whole.sampler.epochs
    for name, value in whole.averaged.state_dict().items():
        assert torch.equal(value, resumed.averaged.state_dict()[name]), name


def test_an_interruption_leaves_a_checkpoint(tmp_path: Path) -> None:
    subject = trainer(experiment(minutes=60.0))

    def interrupt(places: Any, size: int, device: Any) -> Any:
        if subject.progress.step == 3:
            raise KeyboardInterrupt
        return Dots().inputs(places, size, device)

    subject.task.inputs = interrupt  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        loop.train(subject, tmp_path, print)
    again = trainer()
    again.restore(tmp_path / "checkpoint.pt")
    assert again.progress.step == 3


def test_starting_from_weights_takes_what_fits_and_names_the_rest() -> None:
    source = trainer()
    weights = source.encoder.state_dict()
    weights["project.weight"] = torch.zeros(3, 3)
    target = trainer(experiment(seed=9))
    assert target.start_from(weights) == ["project.weight"]
    assert torch.equal(target.encoder.state_dict()["stem.0.weight"], weights["stem.0.weight"])


def test_class_means_leave_the_unlabelled_out() -> None:
    teacher = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [-1.0, 0.0]])
    means = class_means(teacher, torch.tensor([0, 0, 1, -1]), 2)
    assert means is not None
    assert torch.allclose(means, torch.tensor([[0.5**0.5, 0.5**0.5], [0.0, 1.0]]))
    assert class_means(teacher, torch.full((4,), -1), 0) is None


def test_the_schedule_depends_on_the_share_of_time_alone() -> None:
    given = experiment(learning_rate=1.0, warm_up=0.1)
    assert learning_rate(given, 0.05) == pytest.approx(0.5)
    assert learning_rate(given, 0.1) == pytest.approx(1.0)
    assert learning_rate(given, 1.0) == pytest.approx(0.005)
    falling = [learning_rate(given, 0.1 + 0.09 * step) for step in range(11)]
    assert falling == sorted(falling, reverse=True)
    assert [stage_at(given, share).size for share in (0.0, 0.49, 0.5, 1.0)] == [16, 16, 24, 24]


def test_the_sampler_shows_every_sample_once_per_epoch() -> None:
    sampler = Sampler(torch.zeros(60, dtype=torch.int64), seed=3)
    drawn = torch.cat([sampler.draw(20) for _ in range(3)])
    assert sorted(drawn.tolist()) == list(range(60))
    assert sampler.epochs == 1


def test_a_batch_of_mates_holds_that_many_of_each_class_and_nobody_unlabelled() -> None:
    labels = torch.tensor([-1] * 10 + [0, 0, 0, 1, 1, 1, 2, 2, 2, 3])
    drawn = Sampler(labels, seed=1).draw(6, mates=2)
    found, counts = torch.unique(labels[drawn], return_counts=True)
    assert len(set(drawn.tolist())) == 6
    assert counts.tolist() == [2, 2, 2]
    assert set(found.tolist()) == {0, 1, 2}  # class 3 has no second sample


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"minutez": 3}, "unknown key 'minutez'"),
        ({"minutes": 0.0}, "either `minutes` or `samples`"),
        ({"samples": 5}, "either `minutes` or `samples`"),
        ({"stage": []}, "must rise and end at 1.0"),
        (
            {"stage": [{"until": 1.0, "size": 16, "batch": 4, "weights": {"triplet": 1.0}}]},
            r"no \[objectives.triplet\]",
        ),
        ({"stage": [{"until": 1.0, "size": 16}]}, "stage 1"),
    ],
)
def test_a_bad_configuration_is_refused_with_its_place(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        experiment(**change)


@pytest.mark.parametrize("path", sorted(Path("models/training").glob("*.toml")), ids=lambda path: path.name)
def test_every_shipped_configuration_parses(path: Path) -> None:
    assert load(path).minutes > 0
