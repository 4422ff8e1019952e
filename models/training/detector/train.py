"""Train the face detector: ``python -m models.training.detector.train --help``.

What a batch shows is a function of the seed and the number of its step alone, with any number of
drawing processes; its noise also of the kind of device. With ``--steps`` a run stopped and resumed
gives the batches and the learning rates that the unbroken run would have given; with ``--minutes``
the learning rate follows the time spent, so that the schedule lands on a slow or shared machine too.
"""

from __future__ import annotations

import argparse
import copy
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from . import export
from .atlas import Atlas
from .augment import Plan, Pools, compose
from .data import load_crops, load_photos
from .network import Detector
from .render import disturb, paint
from .targets import hint_loss, loss
from .teacher import Teacher, lesson

# Picture side and weight of the draw: mostly small pictures, which teach most per second; large ones for faces
# that fill a photograph.
SIZES = {192: 0.25, 256: 0.3, 320: 0.2, 480: 0.12, 640: 0.13}


@dataclass(frozen=True)
class Recipe:
    """The settings that define a run; with ``minutes`` above zero they, not ``steps``, end it."""

    steps: int = 3000
    minutes: float = 0.0
    seed: int = 7
    pixels: int = 1_200_000  # of the pictures of a step
    rate: float = 3e-3
    warmup: float = 0.03  # share of the budget
    decay: float = 1e-3
    averaging: float = 0.998
    crops: int = 6000
    guidance: float = 8.0  # weight of the teacher's features at the start; 0 leaves them out
    guided: float = 0.6  # share of the budget at which it has fallen to nothing


class Steps(Dataset[Plan]):
    """Item ``i`` is the plan of the batch of step ``i``."""

    def __init__(self, pools: Pools, recipe: Recipe) -> None:
        self.pools, self.recipe = pools, recipe

    def __getitem__(self, step: int) -> Plan:
        side_draw, picture_seed = np.random.SeedSequence([self.recipe.seed, step]).generate_state(2)
        edges = np.cumsum(list(SIZES.values()))
        size = list(SIZES)[int(np.searchsorted(edges, side_draw / 2**32 * edges[-1], side="right"))]
        return compose(self.pools, size, max(2, round(self.recipe.pixels / size**2)), int(picture_seed))


def load(shared: Path, cache: Path, recipe: Recipe, device: torch.device) -> tuple[Pools, Atlas]:
    """The packs under ``shared`` (their labels for the crops are kept in ``cache``), their pixels on the device."""
    photos = load_photos(shared / "data/detection", "train")
    photos += load_crops(
        shared / "data/faces", recipe.crops, recipe.seed,
        cache / f"crops-{recipe.crops}-{recipe.seed}.npz", shared / "teachers/yunet_n_dynamic.onnx",
    )  # fmt: skip
    atlas = Atlas(photos, device)
    return Pools.of(photos, atlas.extent[:, 0].long().cpu().numpy()), atlas


def learning_rate(share: float, recipe: Recipe) -> float:
    """Linear warm-up, then a half cosine down to 1 % of the peak; ``share`` 0..1 of the budget is spent."""
    if share < recipe.warmup:
        return recipe.rate * max(0.01, share / recipe.warmup)
    done = (share - recipe.warmup) / (1 - recipe.warmup)
    return recipe.rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))


def _faster_order(network: Detector, device: torch.device, count: int = 64, size: int = 256) -> torch.memory_format:
    """The order of channels in memory with which a device learns faster: a GPU's depthwise convolutions differ."""
    if device.type != "cuda":
        return torch.channels_last
    spent = {}
    for order in (torch.channels_last, torch.contiguous_format):
        trial = copy.deepcopy(network).to(memory_format=order)
        x = torch.zeros(count, 3, size, size, device=device).contiguous(memory_format=order)
        for repeat in range(6):
            if repeat == 2:
                torch.cuda.synchronize()
                began = time.monotonic()
            with torch.autocast("cuda", torch.bfloat16):
                maps = trial(x)
            torch.stack([m.float().square().mean() for m in maps]).sum().backward()
        torch.cuda.synchronize()
        spent[order] = time.monotonic() - began
    print(f"seconds by order of channels: {spent}", flush=True)
    return min(spent, key=lambda order: spent[order])


class Run:
    """The state of a training run: network, running average, optimiser, step, seconds spent."""

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.device, self.step, self.spent = recipe, device, 0, 0.0
        self.network = Detector().to(device)
        self.order = _faster_order(self.network, device)
        self.network = self.network.to(memory_format=self.order)
        self.average = copy.deepcopy(self.network).eval()
        decayed = [p for p in self.network.parameters() if p.ndim > 1]
        plain = [p for p in self.network.parameters() if p.ndim <= 1]
        self.optimiser = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": recipe.decay}, {"params": plain, "weight_decay": 0.0}], lr=recipe.rate
        )

    @property
    def share(self) -> float:
        """Share of the budget that is spent."""
        if self.recipe.minutes > 0:
            return self.spent / (60 * self.recipe.minutes)
        return self.step / self.recipe.steps

    def learn(self, plan: Plan, atlas: Atlas, teacher: Teacher) -> dict[str, Tensor]:
        """One optimiser step; its losses, still on the device."""
        with torch.no_grad():
            clean = paint(atlas, plan)
            told = lesson(teacher, clean, torch.from_numpy(plan.faces).to(self.device, non_blocking=True))
            x = disturb(clean, plan)
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.share, self.recipe)
        self.network.train()
        with torch.autocast(self.device.type, torch.bfloat16):
            maps, features = self.network.study(x.contiguous(memory_format=self.order))
        parts = loss(maps, told.score, told.raw, plan.size)
        guidance = self.recipe.guidance * (1 - self.share / self.recipe.guided)
        if guidance > 0:
            parts["hint"] = guidance * hint_loss(features, told.hints, told.near, plan.size)
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
        pairs = zip(self.average.state_dict().values(), self.network.state_dict().values(), strict=True)
        means, values = zip(*[(m, v) for m, v in pairs if m.dtype.is_floating_point], strict=True)
        torch._foreach_lerp_(means, values, 1 - keep)

    def save(self, path: Path) -> None:
        """Write the checkpoint in one step."""
        state = {
            "recipe": asdict(self.recipe), "step": self.step, "spent": self.spent,
            "network": self.network.state_dict(), "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
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
        """Go on from a checkpoint of the same recipe; only the budget may differ
        (the learning rate then follows the new schedule from where the run stands)."""
        state = torch.load(path, map_location=self.device, weights_only=True)
        budget = {"steps": self.recipe.steps, "minutes": self.recipe.minutes}
        if {**state["recipe"], **budget} != asdict(self.recipe):
            raise SystemExit(f"{path} belongs to another recipe ({state['recipe']}); give --out a new folder.")
        self.step, self.spent = state["step"], state["spent"]
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])


def train(run: Run, pools: Pools, atlas: Atlas, teacher: Teacher, args: argparse.Namespace) -> None:
    """Learn until the budget is spent; every so many steps or seconds a checkpoint and an ONNX file."""
    recipe, device = run.recipe, run.device
    timed = recipe.minutes > 0
    plans = DataLoader(
        Steps(pools, recipe),
        batch_size=None,
        sampler=range(run.step, 10**9 if timed else recipe.steps),
        num_workers=args.workers,
        # A forked process could wait for ever for threads of CUDA that were not copied with it.
        multiprocessing_context="spawn" if args.workers else None,
        prefetch_factor=8 if args.workers else None,
    )
    sums: dict[str, Tensor] = {}
    before, began = run.spent, time.monotonic()
    kept = noted = began
    since = run.step
    for plan in plans:
        for name, value in run.learn(plan, atlas, teacher).items():
            sums[name] = sums.get(name, torch.zeros((), device=device)) + value
        now = time.monotonic()
        run.spent = before + now - began
        over = run.share >= 1
        if over or now - noted >= 15:
            figures = " ".join(f"{k} {float(v) / (run.step - since):.4f}" for k, v in sums.items())
            pace = (run.step - since) / (now - noted)
            print(f"step {run.step} {run.spent:.0f}s {pace:.1f}/s {figures}", flush=True)
            sums, noted, since = {}, now, run.step
        if over or now - kept >= args.every:
            run.save(args.out / "checkpoint.pt")
            export.save(run.average, args.out / "model.onnx")
            if args.interim:
                export.save(run.average, args.interim)
            kept = now
        if over:
            break


def main() -> None:
    """Command line."""
    defaults = Recipe()
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="folder of data/ and teachers/")
    parser.add_argument("--out", type=Path, required=True, help="folder for the checkpoint, the log and the ONNX file")
    parser.add_argument("--steps", type=int, default=defaults.steps)
    parser.add_argument("--minutes", type=float, default=0.0, help="end after so much time, whatever the steps")
    parser.add_argument("--pixels", type=int, default=defaults.pixels, help="of the pictures of a step")
    parser.add_argument("--seed", type=int, default=defaults.seed)
    parser.add_argument("--rate", type=float, default=defaults.rate, help="highest learning rate")
    parser.add_argument("--guidance", type=float, default=defaults.guidance, help="weight of the teacher's features")
    parser.add_argument("--init-from", type=Path, help="begin with the averaged weights of another run's checkpoint")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw what the pictures show")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--every", type=int, default=60, help="seconds between checkpoints and interim exports")
    parser.add_argument("--interim", type=Path, help="also write each interim ONNX file here")
    args = parser.parse_args()

    recipe = Recipe(
        steps=args.steps, minutes=args.minutes, seed=args.seed, pixels=args.pixels, rate=args.rate,
        guidance=args.guidance,
    )  # fmt: skip
    args.out.mkdir(parents=True, exist_ok=True)
    device = torch.device(args.device)
    run = Run(recipe, device)
    if (args.out / "checkpoint.pt").exists():
        run.load(args.out / "checkpoint.pt")
    elif args.init_from:
        run.begin_with(args.init_from)
    pools, atlas = load(args.shared, args.out, recipe, device)
    teacher = Teacher(args.shared / "teachers/yunet_n_dynamic.onnx", device, recipe.guidance > 0)
    teacher.study(paint(atlas, compose(pools, 256, 32, recipe.seed)))
    train(run, pools, atlas, teacher, args)


if __name__ == "__main__":
    main()
