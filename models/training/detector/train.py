"""Train the face detector: ``python -m models.training.detector.train --help``.

Every step is a function of the seed and its number alone: a run stopped and resumed gives
the batches the unbroken run would have given, on a CPU or on a GPU, with any number of
loading processes.
"""

from __future__ import annotations

import argparse
import copy
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from . import export
from .augment import Pools, Scene, compose, disturb
from .data import load_crops, load_photos
from .network import Detector
from .targets import assign, hint_loss, loss
from .teacher import Lesson, Teacher, lesson

# (picture side, pictures per step, weight of the draw): mostly small pictures, which teach
# most per second; now and then large ones, for faces that fill a photograph.
SIZES = ((192, 64, 0.35), (256, 36, 0.3), (320, 24, 0.2), (480, 10, 0.1), (640, 6, 0.05))


@dataclass(frozen=True)
class Recipe:
    """The settings that define a run."""

    steps: int = 3000
    seed: int = 7
    rate: float = 3e-3
    warmup: int = 100
    decay: float = 1e-3
    averaging: float = 0.998
    crops: int = 6000
    looks: int = 2  # steps that use the same pictures, each time in another light
    guidance: float = 8.0  # weight of the teacher's features; 0 leaves them out


Batch = tuple[int, Tensor, Tensor, Tensor, Tensor, dict[str, Tensor]]


class Steps(Dataset[Batch]):
    """Item ``i`` is the whole batch of step ``i``: side, pixels, then the lesson on them."""

    def __init__(self, pools: Pools, teacher: Path, recipe: Recipe) -> None:
        self.pools, self.path, self.seed, self.looks = pools, teacher, recipe.seed, recipe.looks
        self.guided = recipe.guidance > 0
        rng = np.random.default_rng(recipe.seed)
        self.scales = Teacher(teacher).spread(np.stack([compose(pools, 256, rng).clean for _ in range(32)]))
        self.teacher: Teacher | None = None  # opened in the process that uses it
        self.lesson: tuple[int, int, list[Scene], Lesson] | None = None

    def __getitem__(self, step: int) -> Batch:
        cv2.setNumThreads(1)
        lesson_of = step // self.looks
        if self.lesson is None or self.lesson[0] != lesson_of:
            self.lesson = (lesson_of, *self._teach(lesson_of))
        _, size, scenes, told = self.lesson
        rng = np.random.default_rng([self.seed, lesson_of, step])
        return (
            size,
            torch.from_numpy(np.stack([disturb(s, rng) for s in scenes])),
            torch.from_numpy(told.score),
            torch.from_numpy(told.near),
            torch.from_numpy(told.raw),
            {name: torch.from_numpy(value) for name, value in told.hints.items()},
        )

    def _teach(self, number: int) -> tuple[int, list[Scene], Lesson]:
        """Side, pictures and what the teacher says of them."""
        if self.teacher is None:
            self.teacher = Teacher(self.path, self.scales, self.guided)
        rng = np.random.default_rng([self.seed, number])
        size, count, _ = SIZES[int(rng.choice(len(SIZES), p=[s[2] for s in SIZES]))]
        scenes = [compose(self.pools, size, rng) for _ in range(count)]
        faces = [s.faces for s in scenes]
        told = lesson(self.teacher, np.stack([s.clean for s in scenes]), faces, [assign(f, size) for f in faces])
        return size, scenes, told


def load_pools(shared: Path, cache: Path, recipe: Recipe) -> Pools:
    """Read the packs under ``shared`` (their labels for the crops are kept in ``cache``)."""
    photos = load_photos(shared / "data/detection", "train")
    crops = load_crops(
        shared / "data/faces", recipe.crops, recipe.seed,
        cache / f"crops-{recipe.crops}-{recipe.seed}.npz", shared / "teachers/yunet_n_dynamic.onnx",
    )  # fmt: skip
    return Pools([p for p in photos if len(p.faces)], crops, [p for p in photos if not len(p.faces)])


def learning_rate(step: int, share: float, recipe: Recipe) -> float:
    """Linear warm-up, then a half cosine down to 1 % of the peak; ``share`` (0..1) of the run is done."""
    rising = min(1.0, (step + 1) / recipe.warmup)
    return recipe.rate * rising * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, share))))


class Run:
    """The state of a training run: network, running average, optimiser, step."""

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.device, self.step = recipe, device, 0
        self.network = Detector().to(device, memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.network).eval()
        decayed = [p for p in self.network.parameters() if p.ndim > 1]
        plain = [p for p in self.network.parameters() if p.ndim <= 1]
        self.optimiser = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": recipe.decay}, {"params": plain, "weight_decay": 0.0}], lr=recipe.rate
        )

    def learn(self, batch: Batch, share: float) -> dict[str, Tensor]:
        """One optimiser step, ``share`` (0..1) of the run being done."""
        size, pixels, score, near, target, hints = batch
        device = self.device
        x = pixels.to(self.device, non_blocking=True).permute(0, 3, 1, 2).float()
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.step, share, self.recipe)
        self.network.train()
        with torch.autocast(self.device.type, torch.bfloat16):
            maps, features = self.network.study(x.contiguous(memory_format=torch.channels_last))
        parts = loss(maps, score.to(device), target.to(device), int(size))
        if hints:
            guided = hint_loss(features, {k: v.to(device) for k, v in hints.items()}, near.to(device), int(size))
            parts["hint"] = self.recipe.guidance * guided
        total = torch.stack(list(parts.values())).sum()
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 10.0)
        self.optimiser.step()
        self.step += 1
        self._average()
        return {k: v.detach() for k, v in parts.items()}

    @torch.no_grad()
    def _average(self) -> None:
        keep = min(self.recipe.averaging, (1 + self.step) / (20 + self.step))
        for mean, value in zip(self.average.state_dict().values(), self.network.state_dict().values(), strict=True):
            if mean.dtype.is_floating_point:
                mean.lerp_(value, 1 - keep)

    def save(self, path: Path) -> None:
        """Write the checkpoint in one step."""
        state = {
            "recipe": asdict(self.recipe), "step": self.step, "network": self.network.state_dict(),
            "average": self.average.state_dict(), "optimiser": self.optimiser.state_dict(),
        }  # fmt: skip
        partial = path.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(path)

    def begin_with(self, path: Path) -> None:
        """Take the averaged weights of another run, and nothing else of it."""
        weights = torch.load(path, map_location=self.device, weights_only=True)["average"]
        self.network.load_state_dict(weights)
        self.average.load_state_dict(weights)

    def load(self, path: Path) -> None:
        """Go on from a checkpoint of the same recipe; only the number of steps may differ
        (the learning rate then follows the new schedule from where the run stands)."""
        state = torch.load(path, map_location=self.device, weights_only=True)
        if {**state["recipe"], "steps": self.recipe.steps} != asdict(self.recipe):
            raise SystemExit(f"{path} belongs to another recipe ({state['recipe']}); give --out a new folder.")
        self.step = state["step"]
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])


def main() -> None:
    """Command line."""
    defaults = Recipe()
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="folder of data/ and teachers/")
    parser.add_argument("--out", type=Path, required=True, help="folder for the checkpoint, the log and the ONNX file")
    parser.add_argument("--steps", type=int, default=defaults.steps)
    parser.add_argument("--minutes", type=float, default=math.inf, help="end by then, however few steps were made")
    parser.add_argument("--seed", type=int, default=defaults.seed)
    parser.add_argument("--rate", type=float, default=defaults.rate, help="highest learning rate")
    parser.add_argument("--guidance", type=float, default=defaults.guidance, help="weight of the teacher's features")
    parser.add_argument("--init-from", type=Path, help="begin with the averaged weights of another run's checkpoint")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--every", type=int, default=200, help="steps between checkpoints and interim exports")
    parser.add_argument("--interim", type=Path, help="also write each interim ONNX file here")
    args = parser.parse_args()

    recipe = Recipe(steps=args.steps, seed=args.seed, rate=args.rate, guidance=args.guidance)
    cv2.setNumThreads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    checkpoint = args.out / "checkpoint.pt"
    run = Run(recipe, torch.device(args.device))
    if checkpoint.exists():
        run.load(checkpoint)
    elif args.init_from:
        run.begin_with(args.init_from)
    pools = load_pools(args.shared, args.out, recipe)
    batches = DataLoader(
        Steps(pools, args.shared / "teachers/yunet_n_dynamic.onnx", recipe),
        batch_size=None,
        sampler=range(run.step, recipe.steps),
        num_workers=args.workers,
        # A forked process would wait for ever for the threads of OpenCV and of CUDA that were not copied with it.
        multiprocessing_context="spawn" if args.workers else None,
        prefetch_factor=4 if args.workers else None,
    )
    sums: dict[str, Tensor | float] = {}
    started = time.monotonic()
    for batch in batches:
        share = max(run.step / recipe.steps, (time.monotonic() - started) / (60 * args.minutes))
        for name, value in run.learn(batch, share).items():
            sums[name] = sums.get(name, 0.0) + value
        over = share >= 1.0 or run.step == recipe.steps
        if run.step % 50 == 0:
            line = f"step {run.step} {time.monotonic() - started:.0f}s " + " ".join(
                f"{k} {float(v) / 50:.4f}" for k, v in sums.items()
            )
            print(line, flush=True)
            sums = {}
        if run.step % args.every == 0 or over:
            run.save(checkpoint)
            export.save(run.average, args.out / "model.onnx")
            if args.interim:
                export.save(run.average, args.interim)
        if over:
            break


if __name__ == "__main__":
    main()
