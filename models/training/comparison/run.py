"""Run a comparison: ``python -m models.training.comparison.run models/training/comparison/faces.toml``.

Contender after contender: one short training per learning rate, then the whole one at the better rate.
A second start skips what is finished and goes on from a checkpoint; a training whose configuration changed
starts again. Embeddings of the development split stay in the runs folder, for ``report.py``.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.training import loop
from models.training.comparison.plan import Comparison, load
from models.training.config import Experiment
from models.training.evaluate import all_pairs, intervals, rates
from models.training.objectives import OBJECTIVES
from models.training.prepare_faces import default_cache
from models.training.task import Task
from models.training.train import RESULTS, TASKS


def passes(names: list[str]) -> int:
    """How often each sample of a batch goes through a network: its views, and its key."""
    kinds = [OBJECTIVES[name] for name in names]
    return max(kind.needs_views for kind in kinds) + int(any(kind.needs_keys for kind in kinds))


def keep(folder: Path, embeddings: Any, subjects: Any, found: dict[str, Any]) -> None:
    """Write what a run leaves: embeddings, subjects, and last of all ``finished.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "development.npz", embeddings=embeddings, subjects=subjects)
    partial = folder / "finished.partial"
    partial.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    partial.rename(folder / "finished.json")


@dataclass(frozen=True)
class Runner:
    """A comparison and where its runs (``folder``) and its recorded lines (``results``) go.

    Without ``results`` nothing is recorded yet. No training begins after ``ends`` (``time.monotonic``).
    """

    comparison: Comparison
    folder: Path
    results: Path | None
    make_task: Callable[[Experiment], Task]
    say: loop.Report
    device: str = "cpu"
    ends: float = math.inf

    def everything(self) -> None:
        """References, then every contender once, then the further seeds."""
        self.references()
        rates_chosen = {}
        for name, contender in self.comparison.contender.items():
            rates_chosen[name] = self.better_rate(name)
            self.whole(name, rates_chosen[name], contender.seeds[0])
        for name, contender in self.comparison.contender.items():
            for seed in contender.seeds[1:]:
                self.whole(name, rates_chosen[name], seed)

    def experiment(self, name: str, rate: float, seed: int, trial: bool = False) -> Experiment:
        """The training of a contender; several views leave room for fewer samples in a batch."""
        count = passes(list(self.comparison.contender[name].weights))
        return self.comparison.experiment(name, passes=count, rate=rate, seed=seed, trial=trial)

    def better_rate(self, name: str) -> float:
        """The learning rate of the lower EER after a short training."""
        seed = self.comparison.contender[name].seeds[0]
        tried = {
            rate: self.trained(self.experiment(name, rate, seed, trial=True))["development"]["eer"]
            for rate in self.comparison.learning_rates
        }
        return min(tried, key=lambda rate: tried[rate])

    def whole(self, name: str, rate: float, seed: int) -> None:
        """A contender's whole training, recorded when it has just ended."""
        experiment = self.experiment(name, rate, seed)
        found = self.trained(experiment)
        recorded = self.folder / experiment.name / "recorded"
        if self.results is not None and not recorded.exists():
            self.record(name, self.folder / experiment.name, found)
            recorded.touch()

    def trained(self, experiment: Experiment) -> dict[str, Any]:
        """What a training found, now or earlier. Raises TimeoutError when it would have to begin too late."""
        folder = self.folder / experiment.name
        wanted = json.loads(json.dumps(asdict(experiment)))
        configuration, finished = folder / "configuration.json", folder / "finished.json"
        if configuration.exists() and json.loads(configuration.read_text(encoding="utf-8")) != wanted:
            shutil.rmtree(folder)
        if finished.exists():
            return dict(json.loads(finished.read_text(encoding="utf-8")))
        if time.monotonic() > self.ends:
            raise TimeoutError(f"{experiment.name} and what follows are left for another start: the time is over")
        folder.mkdir(parents=True, exist_ok=True)
        configuration.write_text(json.dumps(wanted), encoding="utf-8")
        trainer = loop.Trainer(experiment, self.make_task(experiment), torch.device(self.device))
        if (folder / "checkpoint.pt").exists():
            trainer.restore(folder / "checkpoint.pt")
        self.say(f"{experiment.name}: from {trainer.share:.0%}")
        loop.train(trainer, folder, self.say)
        embeddings, subjects = trainer.task.development(trainer.averaged, trainer.device, self.comparison.size)
        found = {
            "seed": experiment.seed,
            "learning_rate": experiment.learning_rate,
            "samples": trainer.progress.samples,
            "steps": trainer.progress.step,
            "parameters": sum(p.numel() for p in trainer.encoder.parameters()),
            "development": rates(all_pairs(embeddings, subjects)),
        }
        keep(folder, embeddings, subjects, found)
        self.say(f"{experiment.name}: {found}")
        return found

    def references(self) -> None:
        """The untrained network and the teacher on the development split, once."""
        if (self.folder / "untrained" / "finished.json").exists():
            return
        experiment = self.experiment(next(iter(self.comparison.contender)), rate=1e-3, seed=1)
        task = self.make_task(experiment)
        trainer = loop.Trainer(experiment, task, torch.device(self.device))
        embeddings, subjects = task.development(trainer.averaged, trainer.device, self.comparison.size)
        if task.dev_teacher is not None:
            keep(self.folder / "teacher", task.dev_teacher, subjects, {})
        keep(self.folder / "untrained", embeddings, subjects, {})

    def record(self, name: str, folder: Path, found: dict[str, Any]) -> None:
        """Append one short line on a whole training: rates, and their 95 % intervals over subjects."""
        assert self.results is not None
        with np.load(folder / "development.npz") as stored:
            spread = intervals(all_pairs(stored["embeddings"], stored["subjects"]))
        line: dict[str, Any] = {"experiment": f"comparison/{self.comparison.name}/{name}"} | found
        line["development"] = {key: round(value, 4) for key, value in found["development"].items()}
        line["intervals"] = {key: [round(bound, 4) for bound in bounds] for key, bounds in spread.items()}
        with self.results.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")


@dataclass
class Tasks:
    """The data of experiments; one that asks for the same as the last gets the same."""

    last: tuple[str, Task] | None = None

    def __call__(self, experiment: Experiment) -> Task:
        asked = repr((experiment.task, experiment.data, experiment.augmentation))
        if self.last is None or self.last[0] != asked:
            self.last = (asked, TASKS[experiment.task](experiment.data, experiment.augmentation))
        return self.last[1]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("comparison", type=Path)
    parser.add_argument("--runs", type=Path, default=default_cache() / "runs" / "comparison")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--unrecorded", action="store_true", help="leave the results to a second start: intervals cost")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--seconds", type=float, default=math.inf, help="begin no training after this time")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()

    def say(text: str) -> None:
        print(time.strftime("%H:%M:%S"), text, flush=True)

    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
    try:
        comparison = load(arguments.comparison)
        results = None if arguments.unrecorded else arguments.results
        ends = time.monotonic() + arguments.seconds
        folder = arguments.runs / comparison.name
        Runner(comparison, folder, results, Tasks(), say, arguments.device, ends).everything()
    except TimeoutError as late:
        say(str(late))
    except (ValueError, FileNotFoundError) as error:
        parser.exit(2, f"{parser.prog}: {error}\n")


if __name__ == "__main__":
    main()
