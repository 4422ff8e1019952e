"""The training loop: bounded by time or by samples, resumable, the same on CPU and CUDA."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.training import backbones, objectives
from models.training.config import Experiment, Stage
from models.training.sampler import Sampler
from models.training.schedule import learning_rate, stage_at
from models.training.task import Task, class_means

Report = Callable[[str], None]


def parameter_groups(modules: list[nn.Module], decay: float) -> list[dict[str, Any]]:
    """Matrices and kernels decay; biases, norms and single numbers do not."""
    everything = [p for module in modules for p in module.parameters()]
    return [
        {"params": [p for p in everything if p.ndim > 1], "weight_decay": decay},
        {"params": [p for p in everything if p.ndim <= 1], "weight_decay": 0.0},
    ]


@dataclass
class Progress:
    """Where a training stands.

    ``samples`` counts every degraded sample that passed the network or its average, each view and each
    key; ``elapsed`` is in seconds over all sittings.
    """

    step: int = 0
    samples: int = 0
    elapsed: float = 0.0


class Trainer:
    """One experiment in progress: network, its moving average, objectives, optimiser, sampler."""

    def __init__(self, experiment: Experiment, task: Task, device: torch.device) -> None:
        torch.manual_seed(experiment.seed)
        self.experiment, self.task, self.device = experiment, task, device
        self.encoder = backbones.build(experiment.backbone)
        dimension = int(experiment.backbone.get("dimension", 128))
        self.objectives = objectives.build(
            experiment.objectives,
            classes=task.classes,
            dimension=dimension,
            class_means=None if task.teacher is None else class_means(task.teacher, task.labels, task.classes),
        )
        for module in (self.encoder, self.objectives):
            module.to(device)
        self.encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.averaged = copy.deepcopy(self.encoder).eval().requires_grad_(False)
        self.optimiser = torch.optim.AdamW(
            parameter_groups([self.encoder, self.objectives], experiment.weight_decay),
            lr=experiment.learning_rate,
            fused=True,
        )
        self.sampler = Sampler(task.labels, experiment.seed)
        self.progress = Progress()

    @property
    def share(self) -> float:
        """Share of the budget spent, 0..1."""
        if self.experiment.samples:
            return min(self.progress.samples / self.experiment.samples, 1.0)
        return min(self.progress.elapsed / (self.experiment.minutes * 60.0), 1.0)

    def start_from(self, weights: dict[str, Tensor]) -> list[str]:
        """Begin with given encoder weights; returns the names that did not fit and stay random."""
        own = self.encoder.state_dict()
        fitting = {k: v for k, v in weights.items() if k in own and own[k].shape == v.shape}
        self.encoder.load_state_dict(own | fitting)
        self.averaged.load_state_dict(self.encoder.state_dict())
        return [k for k in own if k not in fitting and not k.endswith("num_batches_tracked")]

    def resize_from(self, weights: dict[str, Tensor], how: Callable[[nn.Module, dict[str, Tensor]], None]) -> None:
        """Begin with the weights of a trained encoder of another size; ``how`` is ``resize.grow`` or ``resize.cut``."""
        how(self.encoder, weights)
        self.averaged.load_state_dict(self.encoder.state_dict())

    def step(self) -> dict[str, Tensor]:
        """One optimiser step; returns the value of every objective in force, on the device.

        Nothing here waits for the device, so a GPU always has its next work.
        """
        began = time.perf_counter()
        stage = stage_at(self.experiment, self.share)
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.experiment, self.share)
        self.encoder.train()
        self.objectives.train()
        places = self.sampler.draw(stage.batch, stage.mates)
        views = self._views(places, stage)
        total, values = self.objectives(views, stage.weights)
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        nn.utils.clip_grad_norm_(self.encoder.parameters(), 5.0)
        self.optimiser.step()
        self._update_average()
        self.progress.step += 1
        self.progress.samples += views.shown
        self.progress.elapsed += time.perf_counter() - began
        return {"loss": total.detach(), **values}

    def _views(self, places: Tensor, stage: Stage) -> objectives.Views:
        active = [self.objectives.parts[name] for name, w in stage.weights.items() if w != 0.0]
        count = max(int(part.needs_views) for part in active)
        framed = any(part.needs_frames for part in active)
        inputs, moments = [], []
        for _ in range(count):
            inputs.append(self.task.inputs(places, stage.size, self.device))
            if framed and self.task.teacher_frames is not None:
                moments.append(self.task.teacher_frames)
        frames: list[Tensor] | None = [] if framed else None
        flat = self._embed(self.encoder, torch.cat(inputs), frames)
        keys = None
        if any(part.needs_keys for part in active):
            with torch.no_grad():
                again = self.task.inputs(places, stage.size, self.device)
                keys = self._embed(self.averaged, again)
        teacher = self.task.teacher
        return objectives.Views(
            embeddings=flat.unflatten(0, (count, len(places))),
            labels=self.task.labels[places].to(self.device, non_blocking=True),
            teacher=None if teacher is None else teacher[places].to(self.device, non_blocking=True),
            keys=keys,
            frames=frames[0] if frames else None,
            teacher_frames=torch.cat(moments) if moments else None,
        )

    def _embed(self, encoder: nn.Module, inputs: Tensor, frames: list[Tensor] | None = None) -> Tensor:
        """Unit embeddings; what the network says of each moment is added to ``frames`` if that is a list."""
        if inputs.ndim == 4:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            if frames is None:
                raw = encoder(inputs)
            else:
                inner = encoder.frames(inputs)  # type: ignore[operator]
                raw = encoder.pool(inner)  # type: ignore[operator]
                frames.append(inner[:, :, 0].float())
        return functional.normalize(raw.float(), dim=1)

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = min(self.experiment.average, (1.0 + self.progress.step) / (10.0 + self.progress.step))
        new = self.encoder.state_dict()
        for name, old in self.averaged.state_dict().items():
            if old.dtype.is_floating_point:
                old.lerp_(new[name], 1.0 - decay)
            else:
                old.copy_(new[name])

    def save(self, path: Path) -> None:
        """Write a checkpoint from which ``restore`` goes on; written beside and renamed."""
        state = {
            "encoder": self.encoder.state_dict(),
            "averaged": self.averaged.state_dict(),
            "objectives": self.objectives.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "sampler": self.sampler.state(),
            "progress": vars(self.progress),
            "random": torch.get_rng_state(),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        torch.save(state, partial)
        partial.rename(path)

    def restore(self, path: Path) -> None:
        """Go on from a checkpoint of the same experiment."""
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.encoder.load_state_dict(state["encoder"])
        self.averaged.load_state_dict(state["averaged"])
        self.objectives.load_state_dict(state["objectives"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.sampler.restore(state["sampler"])
        self.progress = Progress(**state["progress"])
        torch.set_rng_state(state["random"].cpu())


def describe(trainer: Trainer, values: dict[str, Tensor], rate: float) -> str:
    """One line of progress with the time left."""
    experiment, progress = trainer.experiment, trainer.progress
    if experiment.samples:
        left = max(experiment.samples - progress.samples, 0) / max(rate, 1e-9)
    else:
        left = max(experiment.minutes * 60.0 - progress.elapsed, 0.0)
    size = stage_at(experiment, trainer.share).size
    parts = " ".join(f"{name} {float(value):.4f}" for name, value in values.items())
    return (
        f"step {progress.step} epoch {trainer.sampler.epochs} size {size} {parts} "
        f"lr {learning_rate(experiment, trainer.share):.2e} {rate:.0f}/s "
        f"left {int(left // 60)}:{int(left % 60):02d}"
    )


def evaluate(trainer: Trainer, rounds: int = 0) -> dict[str, Any]:
    """Error rates of the averaged network on the development split, at the stage's size."""
    size = stage_at(trainer.experiment, trainer.share).size
    return trainer.task.evaluate(trainer.averaged, trainer.device, rounds, size)


def export(trainer: Trainer, path: Path) -> None:
    """Write the averaged network as ONNX."""
    size = stage_at(trainer.experiment, trainer.share).size
    trainer.task.export(copy.deepcopy(trainer.averaged).cpu(), path, size)


def train(trainer: Trainer, folder: Path, report: Report, interim: Path | None = None) -> None:
    """Run until the budget is spent; checkpoint, evaluate and export on the way.

    Writes ``folder/checkpoint.pt``, and the averaged network to ``interim`` after each evaluation.
    An interruption (Ctrl-C, or SIGTERM as ``train.py`` handles it) saves a checkpoint first.
    """
    try:
        run(trainer, folder, report, interim)
    finally:
        trainer.save(folder / "checkpoint.pt")


def run(trainer: Trainer, folder: Path, report: Report, interim: Path | None) -> None:
    """Step until the budget is spent, telling how it goes."""
    smooth: dict[str, Tensor] = {}
    told, seen, due = time.perf_counter(), trainer.progress.samples, trainer.progress.elapsed
    due += trainer.experiment.evaluate_every * 60.0
    while trainer.share < 1.0:
        for name, value in trainer.step().items():
            smooth[name] = 0.95 * smooth.get(name, value) + 0.05 * value
        now = time.perf_counter()
        if now - told > 20.0:
            rate = (trainer.progress.samples - seen) / (now - told)
            report(describe(trainer, smooth, rate))
            told, seen = now, trainer.progress.samples
        if trainer.progress.elapsed >= due and trainer.share < 1.0:
            trainer.save(folder / "checkpoint.pt")
            found = evaluate(trainer)
            report(f"development split at {trainer.share:.0%}: {found}")
            if interim is not None:
                export(trainer, interim)
            due = trainer.progress.elapsed + trainer.experiment.evaluate_every * 60.0
            told, seen = time.perf_counter(), trainer.progress.samples
