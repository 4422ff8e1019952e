"""Train the landmark network: ``python -m models.training.landmarks.train --help``.

What a step draws is a function of the seed and its number (its noise also of the kind of device). With
``--steps`` a run stopped and resumed goes on as the unbroken run would have; with ``--minutes`` the
learning rate follows the time spent.
"""

from __future__ import annotations

import argparse
import copy
import csv
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from models.training import faces_augment

from .looks import agreed
from .network import EYES, SIDE, TEMPLATE, Landmarks, save

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]
PARTS = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
MIRRORED = np.array([1, 0, 2, 4, 3])  # landmark order after a left-right flip
HALVED = 64  # side of the crops as kept on the device
HARM = faces_augment.FaceAugmentation(
    light=0.5, colour=0.3, grey=0.1, blur=0.15, downsample=0.25, jpeg=0.1, noise=0.1, occlusion=0.15
)


@dataclass(frozen=True)
class Recipe:
    """The settings that define a run; with ``minutes`` above zero they, not ``steps``, end it. The deviations say how
    far the detector may be off: ``shift`` in inter-eye distances, ``scale`` as a natural logarithm, ``roll`` in
    degrees."""

    steps: int = 3000
    minutes: float = 0.0
    batch: int = 128
    seed: int = 7
    rate: float = 3e-3
    warmup: float = 0.03  # share of the budget
    decay: float = 1e-3
    averaging: float = 0.998
    part: int = 1  # only every n-th crop is learnt from
    shift: float = 0.10
    scale: float = 0.10
    roll: float = 7.0


@dataclass(frozen=True)
class Crops:
    """The aligned pack: ``pixels`` uint8 [K, 64, 64, 3] RGB at half size, on the device; ``points`` float32
    [K, 5, 2] in pixels of the full crop; and the numbers of the crops to learn from and to measure with."""

    pixels: Tensor
    points: Floats
    train: NDArray[np.int64]
    dev: NDArray[np.int64]


def read_index(index: Path) -> tuple[Floats, NDArray[np.int64], NDArray[np.int64]]:
    """Landmarks of the pack's crops, and the numbers of those to learn from and to measure with."""
    with index.open() as f:
        rows = list(csv.DictReader(f))
    names = [f"{part}_{axis}" for part in PARTS for axis in "xy"]
    points = np.array([[float(row[name]) for name in names] for row in rows], np.float32).reshape(-1, 5, 2)
    dev = np.array([row["split"] == "dev" for row in rows])
    # Enlarged crops have neither fine detail nor exact labels.
    sharp = np.array([float(row["downscale"]) >= 0.8 and float(row["detector_score"]) >= 0.8 for row in rows])
    return points, np.flatnonzero(sharp & ~dev), np.flatnonzero(dev)


def load_crops(
    index: Path, pixels: Path, teachers: Path | None, cache: Path, device: torch.device, part: int = 1
) -> Crops:
    """Read the pack's index and its decoded pixels (a .npy file, in the order of the index). With ``teachers`` the
    landmarks are those that their looks agree on, kept in ``cache`` (.npy). Of those to learn from only every
    ``part``-th is read."""
    points, train, dev = read_index(index)
    train = train[::part]
    used = np.sort(np.concatenate([train, dev]))
    full = torch.from_numpy(np.load(pixels, mmap_mode="r")[used])
    if teachers is not None:
        if not cache.exists():
            found = agreed(full, torch.from_numpy(points[used]).to(device), teachers)
            np.save(cache, found.cpu().numpy())
        points[used] = np.load(cache)
    half = torch.zeros(len(points), HALVED, HALVED, 3, dtype=torch.uint8, device=device)
    for part, numbers in zip(full.split(2048), np.array_split(used, range(2048, len(used), 2048)), strict=True):
        whole = part.to(device).reshape(-1, HALVED, 2, HALVED, 2, 3).float()
        half[torch.from_numpy(numbers).to(device)] = whole.mean(dim=(2, 4)).round().to(torch.uint8)
    return Crops(half, points, train, dev)


def examples(
    crops: Crops, numbers: NDArray[np.int64], recipe: Recipe, rng: np.random.Generator
) -> tuple[Tensor, Floats]:
    """Pictures float32 [B, 3, 48, 48], RGB, 0 to 255, of faces not quite in place, and where their landmarks lie in
    them [B, 5, 2]."""
    count = len(numbers)
    points = (crops.points[numbers] - 0.5) / 2
    spread = np.where(rng.random(count) < 0.2, 2.0, 1.0)  # now and then the detector is far off
    scale = (SIDE / 50) * np.exp(spread * recipe.scale * rng.standard_normal(count))
    roll = np.deg2rad(spread * recipe.roll * rng.standard_normal(count))
    shift = spread[:, None] * recipe.shift * EYES * rng.standard_normal((count, 2))
    flip = rng.random(count) < 0.5
    cosine, sine, side = scale * np.cos(roll), scale * np.sin(roll), np.where(flip, -1.0, 1.0)
    linear = np.stack([np.stack([cosine * side, -sine], 1), np.stack([sine * side, cosine], 1)], 1)
    offset = TEMPLATE.mean(0) + shift - np.einsum("nij,nj->ni", linear, points.mean(1))
    moved = np.einsum("nij,nkj->nki", linear, points) + offset[:, None]
    moved[flip] = moved[flip][:, MIRRORED]
    # Beyond the edge of the crop: black, as beyond the edge of a photograph, or the edge itself.
    black = rng.random(count) < 0.3
    pictures = _cut(crops.pixels, numbers, np.linalg.inv(linear), offset, black)
    return pictures, moved.astype(np.float32)


def _cut(
    pixels: Tensor,
    numbers: NDArray[np.int64],
    back: NDArray[np.float64],
    offset: NDArray[np.float64],
    black: NDArray[np.bool_],
) -> Tensor:
    device = pixels.device

    def on(values: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(values).to(device, non_blocking=True)

    axis = torch.arange(SIDE, device=device, dtype=torch.float32)
    place = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1)
    source = torch.einsum(
        "nij,nyxj->nyxi", on(back.astype(np.float32)), place - on(offset.astype(np.float32))[:, None, None]
    )
    grid = (2 * source + 1) / HALVED - 1
    images = pixels[on(numbers)].permute(0, 3, 1, 2).float()
    cut = F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
    beyond = (grid.abs() > 1).any(3) & on(black)[:, None, None]
    return torch.where(beyond[:, None], 0.0, cut)


def degraded(pictures: Tensor) -> Tensor:
    """Few pixels, light, colour, noise, compression, something in front of the face."""
    images = faces_augment.occlude(pictures / 255.0, HARM)
    for harm in (faces_augment.downsample, faces_augment.change_light, faces_augment.change_colour, faces_augment.blur):
        images = harm(images, HARM)
    images = faces_augment.compress(faces_augment.add_noise(images, HARM).clamp(0, 1), HARM)
    return images.clamp(0, 1) * 255.0


def rate(share: float, recipe: Recipe) -> float:
    """Linear warm-up, then a half cosine down to 1 % of the peak; ``share`` 0..1 of the budget is spent."""
    if share < recipe.warmup:
        return recipe.rate * max(0.01, share / recipe.warmup)
    done = (share - recipe.warmup) / (1 - recipe.warmup)
    return recipe.rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))


@torch.no_grad()
def measured(network: Landmarks, crops: Crops, recipe: Recipe) -> float:
    """Mean distance to the labels on the development crops, in inter-eye distances."""
    pictures, points = examples(crops, crops.dev, recipe, np.random.default_rng(recipe.seed))
    said = network(pictures).cpu().numpy().reshape(-1, 5, 2) * EYES + TEMPLATE
    eyes = np.linalg.norm(points[:, 1] - points[:, 0], axis=1)
    return float((np.linalg.norm(said - points, axis=2).mean(1) / eyes).mean())


class Run:
    """The state of a training run: network, running average, optimiser, step, seconds spent."""

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.device, self.step, self.spent = recipe, device, 0, 0.0
        self.network = Landmarks().to(device, memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.network).eval()
        decayed = [p for p in self.network.parameters() if p.ndim > 1]
        plain = [p for p in self.network.parameters() if p.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": recipe.decay}, {"params": plain, "weight_decay": 0.0}]
        self.optimiser = torch.optim.AdamW(groups, lr=recipe.rate)

    @property
    def share(self) -> float:
        """Share of the budget that is spent."""
        if self.recipe.minutes > 0:
            return self.spent / (60 * self.recipe.minutes)
        return self.step / self.recipe.steps

    def learn(self, crops: Crops) -> Tensor:
        """One optimiser step; its loss, still on the device."""
        recipe = self.recipe
        seed = np.random.SeedSequence([recipe.seed, self.step])
        rng = np.random.default_rng(seed)
        torch.manual_seed(int(seed.generate_state(1)[0]))
        pictures, points = examples(crops, rng.choice(crops.train, recipe.batch, replace=False), recipe, rng)
        x = degraded(pictures).contiguous(memory_format=torch.channels_last)
        for group in self.optimiser.param_groups:
            group["lr"] = rate(self.share, recipe)
        self.network.train()
        with torch.autocast(self.device.type, torch.bfloat16):
            said = self.network(x)
        target = torch.from_numpy((points - TEMPLATE) / EYES).flatten(1).to(self.device, non_blocking=True)
        loss = F.smooth_l1_loss(said.float(), target, beta=0.02)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimiser.step()
        self.step += 1
        keep = min(recipe.averaging, (1 + self.step) / (20 + self.step))
        with torch.no_grad():
            for mean, value in zip(self.average.state_dict().values(), self.network.state_dict().values(), strict=True):
                if mean.dtype.is_floating_point:
                    mean.lerp_(value, 1 - keep)
        return loss.detach()

    def save(self, folder: Path, interim: Path | None) -> None:
        """Write the checkpoint, each in one step, and the ONNX file."""
        state = {
            "recipe": asdict(self.recipe), "step": self.step, "spent": self.spent,
            "network": self.network.state_dict(), "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }  # fmt: skip
        torch.save(state, folder / "checkpoint.partial")
        (folder / "checkpoint.partial").replace(folder / "checkpoint.pt")
        save(self.average, folder / "model.onnx")
        if interim:
            save(self.average, interim)

    def load(self, path: Path) -> None:
        """Go on from a checkpoint of the same recipe; only the budget may differ."""
        state = torch.load(path, map_location=self.device, weights_only=True)
        budget = {"steps": self.recipe.steps, "minutes": self.recipe.minutes}
        if {**state["recipe"], **budget} != asdict(self.recipe):
            raise SystemExit(f"{path} belongs to another recipe; give --out a new folder.")
        self.step, self.spent = state["step"], state["spent"]
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])


def main() -> None:
    """Command line."""
    defaults = Recipe()
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--index", type=Path, default=Path("../shared/data/faces/index.csv"))
    parser.add_argument("--pixels", type=Path, required=True, help="decoded crops, uint8 [K, 128, 128, 3] (.npy)")
    parser.add_argument("--teachers", type=Path, help="folder of both teachers: learn what their looks agree on")
    parser.add_argument("--out", type=Path, required=True, help="folder for the checkpoint and the ONNX file")
    parser.add_argument("--steps", type=int, default=defaults.steps)
    parser.add_argument("--minutes", type=float, default=0.0, help="end after so much time, whatever the steps")
    parser.add_argument("--batch", type=int, default=defaults.batch)
    parser.add_argument("--part", type=int, default=defaults.part, help="learn from every n-th crop only")
    parser.add_argument("--rate", type=float, default=defaults.rate, help="highest learning rate")
    parser.add_argument("--init-from", type=Path, help="begin with the averaged weights of another run's checkpoint")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--every", type=float, default=60, help="seconds between checkpoints and interim exports")
    parser.add_argument("--interim", type=Path, help="also write each interim ONNX file here")
    args = parser.parse_args()

    device = torch.device(args.device)
    recipe = Recipe(steps=args.steps, minutes=args.minutes, batch=args.batch, rate=args.rate, part=args.part)
    args.out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    run = Run(recipe, device)
    if (args.out / "checkpoint.pt").exists():
        run.load(args.out / "checkpoint.pt")
    elif args.init_from:
        weights = torch.load(args.init_from, map_location=device, weights_only=True)["average"]
        run.network.load_state_dict(weights)
        run.average.load_state_dict(weights)
    before = run.spent  # preparing the labels counts, so that the minutes are those of the clock
    crops = load_crops(args.index, args.pixels, args.teachers, args.out / "agreed.npy", device, recipe.part)
    print(f"ready after {time.monotonic() - began:.0f}s", flush=True)
    total, since, kept = torch.zeros((), device=device), run.step, time.monotonic()
    while run.share < 1:
        total += run.learn(crops)
        now = time.monotonic()
        run.spent = before + now - began
        if run.share >= 1 or now - kept >= args.every:
            error = measured(run.average, crops, recipe)
            mean = float(total) / (run.step - since)
            print(f"step {run.step} {run.spent:.0f}s loss {mean:.4f} dev {error:.4f}", flush=True)
            total.zero_()
            since, kept = run.step, now
            run.save(args.out, args.interim)


if __name__ == "__main__":
    main()
