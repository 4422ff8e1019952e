"""Train an encoder: ``python -m models.training.train models/training/face-start.toml``.

A second start with the same configuration goes on from its checkpoint. ``--init-from`` begins a new
training with the weights of a shipped ONNX file or of a checkpoint; ``--grow-from`` and ``--cut-from`` take those of a
smaller and of a larger network.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.training import loop
from models.training.config import Experiment, load
from models.training.prepare_faces import default_cache
from models.training.resize import cut, grow
from models.training.task import Task

RESULTS = Path(__file__).with_name("results.jsonl")


def face_task(data: dict[str, Any], augmentation: dict[str, Any]) -> Task:
    """The face pack."""
    from models.training.faces import FaceTask

    return FaceTask(data, augmentation)


def voice_task(data: dict[str, Any], augmentation: dict[str, Any]) -> Task:
    """The speech pack."""
    from models.training.voices import VoiceTask

    return VoiceTask(data, augmentation)


TASKS: dict[str, Callable[[dict[str, Any], dict[str, Any]], Task]] = {"faces": face_task, "voices": voice_task}
"""Modalities by the ``task`` named in a configuration."""


def read_weights(path: Path) -> dict[str, Tensor]:
    """Encoder weights by name from ``model.onnx`` (as ``export.py`` writes it) or a checkpoint."""
    if path.suffix == ".onnx":
        from models.training.export import weights_of

        return weights_of(path)
    averaged: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)["averaged"]
    return averaged


def record(experiment: Experiment, trainer: loop.Trainer, found: dict[str, Any], path: Path) -> None:
    """Append one line on this training to the results file."""
    line = {
        "experiment": experiment.name,
        "minutes": round(trainer.progress.elapsed / 60.0, 1),
        "samples": trainer.progress.samples,
        "epochs": trainer.sampler.epochs,
        "threads": experiment.threads,
        "device": trainer.device.type,
        "parameters": sum(p.numel() for p in trainer.encoder.parameters()),
        "configuration": asdict(experiment),
        "development": found,
    }
    with path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(line) + "\n")


def prepare(arguments: argparse.Namespace, report: loop.Report) -> tuple[loop.Trainer, Path]:
    """Set up the trainer the command line asks for, fresh, resumed or from given weights."""
    experiment = load(arguments.configuration)
    if arguments.minutes:
        experiment = replace(experiment, minutes=arguments.minutes, samples=0)
    if experiment.task not in TASKS:
        raise ValueError(f"unknown task {experiment.task!r}; choose from {', '.join(TASKS)}")
    torch.set_num_threads(arguments.threads or experiment.threads)
    torch.set_flush_denormal(True)
    task = TASKS[experiment.task](experiment.data, experiment.augmentation)
    trainer = loop.Trainer(experiment, task, torch.device(arguments.device))
    folder = arguments.runs / experiment.name
    checkpoint = folder / "checkpoint.pt"
    if checkpoint.exists() and not arguments.fresh:
        trainer.restore(checkpoint)
        report(f"going on from {checkpoint} at {trainer.share:.0%}")
    elif arguments.init_from is not None:
        random = trainer.start_from(read_weights(arguments.init_from))
        report(f"weights from {arguments.init_from}; not found there: {random or 'none'}")
    elif arguments.grow_from is not None:
        trainer.resize_from(read_weights(arguments.grow_from), grow)
        report(f"grown from {arguments.grow_from}")
    elif arguments.cut_from is not None:
        trainer.resize_from(read_weights(arguments.cut_from), cut)
        report(f"cut out of {arguments.cut_from}")
    return trainer, folder


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("configuration", type=Path)
    parser.add_argument("--runs", type=Path, default=default_cache() / "runs")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: as configured")
    parser.add_argument("--minutes", type=float, help="the budget, instead of the configuration's")
    parser.add_argument("--init-from", type=Path, help="model.onnx or checkpoint.pt to begin with")
    parser.add_argument("--grow-from", type=Path, help="the same, of a smaller network, kept as a part of this one")
    parser.add_argument("--cut-from", type=Path, help="the same, of a larger network, of which this one is a part")
    parser.add_argument("--fresh", action="store_true", help="ignore an existing checkpoint")
    parser.add_argument("--interim", type=Path, help="export here after each evaluation")
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()

    def report(text: str) -> None:
        print(time.strftime("%H:%M:%S"), text, flush=True)

    try:
        trainer, folder = prepare(arguments, report)
    except (ValueError, FileNotFoundError) as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
    loop.train(trainer, folder, report, arguments.interim)
    found = loop.evaluate(trainer, trainer.experiment.bootstrap)
    report(f"development split at the end: {found}")
    loop.export(trainer, folder / "model.onnx")
    record(trainer.experiment, trainer, found, arguments.results)
    report(f"exported {folder / 'model.onnx'}")


if __name__ == "__main__":
    main()
