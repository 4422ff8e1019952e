"""Train the landmark network: ``python -m models.training.landmarks.train --help``.

Every step is a function of the seed and its number: a run stopped and resumed gives the
batches that the unbroken run would have given.
"""

from __future__ import annotations

import argparse
import copy
import csv
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from .network import EYES, SIDE, TEMPLATE, Landmarks, save

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]
PARTS = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
MIRRORED = np.array([1, 0, 2, 4, 3])  # landmark order after a left-right flip


@dataclass(frozen=True)
class Recipe:
    """The settings that define a run. The deviations say how far the detector may be off: ``shift`` in
    inter-eye distances, ``scale`` as a natural logarithm, ``roll`` in degrees."""

    steps: int = 3000
    batch: int = 128
    seed: int = 7
    rate: float = 3e-3
    warmup: int = 100
    decay: float = 1e-3
    averaging: float = 0.998
    shift: float = 0.10
    scale: float = 0.10
    roll: float = 7.0


@dataclass(frozen=True)
class Crops:
    """The aligned pack: ``pixels`` uint8 [K, 128, 128, 3] RGB, ``points`` float32 [K, 5, 2] in its pixels,
    and the numbers of the crops to learn from and to measure with."""

    pixels: Pixels
    points: Floats
    train: NDArray[np.int64]
    dev: NDArray[np.int64]


def load_crops(index: Path, pixels: Path) -> Crops:
    """Read the pack's index and its decoded pixels (a .npy file, in the order of the index)."""
    with index.open() as f:
        rows = list(csv.DictReader(f))
    names = [f"{part}_{axis}" for part in PARTS for axis in "xy"]
    points = np.array([[float(row[name]) for name in names] for row in rows], np.float32).reshape(-1, 5, 2)
    dev = np.array([row["split"] == "dev" for row in rows])
    # Enlarged crops have neither fine detail nor exact labels.
    sharp = np.array([float(row["downscale"]) >= 0.8 and float(row["detector_score"]) >= 0.8 for row in rows])
    return Crops(np.load(pixels, mmap_mode="r"), points, np.flatnonzero(sharp & ~dev), np.flatnonzero(dev))


def example(crops: Crops, number: int, recipe: Recipe, rng: np.random.Generator) -> tuple[Pixels, Floats]:
    """One picture [48, 48, 3] of a face not quite in place, and where its landmarks lie in it [5, 2]."""
    source = crops.pixels[number]
    # Halved first, as the application does: 100 pixels of the crop become 48.
    half = cv2.resize(source, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    points = (crops.points[number] - 0.5) / 2
    flip = rng.random() < 0.5
    eye_middle, template = points.mean(0), TEMPLATE.mean(0)
    spread = 2.0 if rng.random() < 0.2 else 1.0  # now and then the detector is far off
    scale = (SIDE / 50) * np.exp(spread * recipe.scale * rng.standard_normal())
    roll = np.deg2rad(spread * recipe.roll * rng.standard_normal())
    shift = spread * recipe.shift * EYES * rng.standard_normal(2)
    linear = scale * np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    if flip:
        linear = linear @ np.diag([-1.0, 1.0])
    matrix = np.column_stack([linear, template + shift - linear @ eye_middle])
    # Beyond the edge of the crop: black, as beyond the edge of a photograph, or the edge itself.
    border = cv2.BORDER_CONSTANT if rng.random() < 0.3 else cv2.BORDER_REFLECT_101
    picture = cv2.warpAffine(half, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=border)
    moved = points @ linear.T + matrix[:, 2]
    return degraded(picture.astype(np.uint8, copy=False), rng), (moved[MIRRORED] if flip else moved).astype(np.float32)


def degraded(picture: Pixels, rng: np.random.Generator) -> Pixels:
    """Few pixels, light, colour, noise, compression, something in front of the face."""
    if rng.random() < 0.25:
        low = int(rng.integers(14, 36))
        picture = cv2.resize(
            cv2.resize(picture, (low, low), interpolation=cv2.INTER_AREA), (SIDE, SIDE), interpolation=cv2.INTER_LINEAR
        ).astype(np.uint8, copy=False)
    if rng.random() < 0.5:
        table = np.arange(256, dtype=np.float32)
        table = 255 * (table / 255) ** np.float32(np.exp(rng.normal(0, 0.35)))
        table = (table - 127) * np.float32(np.exp(rng.normal(0, 0.25))) + 127 + np.float32(rng.normal(0, 20))
        colours = table[:, None] * np.exp(rng.normal(0, 0.08, 3)).astype(np.float32)
        picture = cv2.LUT(picture, np.clip(colours, 0, 255).astype(np.uint8)[None])
    if rng.random() < 0.15:
        picture = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.4, 1.2)))
    if rng.random() < 0.1:
        picture = np.repeat(picture.mean(2, keepdims=True), 3, axis=2).astype(np.uint8)
    if rng.random() < 0.1:
        noisy = picture + rng.normal(0, rng.uniform(3, 18), picture.shape)
        picture = np.clip(noisy, 0, 255).astype(np.uint8)
    if rng.random() < 0.1:
        quality = [int(cv2.IMWRITE_JPEG_QUALITY), int(rng.integers(25, 85))]
        picture = cv2.imdecode(cv2.imencode(".jpg", picture, quality)[1], cv2.IMREAD_COLOR).astype(np.uint8, copy=False)
    if rng.random() < 0.12:
        picture = picture.copy()
        x, y = rng.integers(0, SIDE, 2)
        w, h = rng.integers(6, 24, 2)
        picture[y : y + h, x : x + w] = rng.integers(0, 256, 3)
    return picture


def batch(crops: Crops, numbers: NDArray[np.int64], recipe: Recipe, rng: np.random.Generator) -> tuple[Pixels, Floats]:
    """Pictures [B, 48, 48, 3] and landmarks [B, 5, 2] of the given crops."""
    examples = [example(crops, int(n), recipe, rng) for n in numbers]
    return np.stack([e[0] for e in examples]), np.stack([e[1] for e in examples])


def rate(step: int, recipe: Recipe) -> float:
    """Linear warm-up, then a half cosine down to 1 % of the peak."""
    if step < recipe.warmup:
        return recipe.rate * (step + 1) / recipe.warmup
    done = (step - recipe.warmup) / max(1, recipe.steps - recipe.warmup)
    return recipe.rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))


def measured(network: Landmarks, crops: Crops, recipe: Recipe) -> float:
    """Mean distance to the labels on the development crops, in inter-eye distances."""
    pixels, points = batch(crops, crops.dev, recipe, np.random.default_rng(recipe.seed))
    with torch.no_grad():
        said = network(torch.from_numpy(pixels).permute(0, 3, 1, 2).float()).numpy().reshape(-1, 5, 2) * EYES + TEMPLATE
    eyes = np.linalg.norm(points[:, 1] - points[:, 0], axis=1)
    return float((np.linalg.norm(said - points, axis=2).mean(1) / eyes).mean())


def main() -> None:
    """Command line."""
    defaults = Recipe()
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--index", type=Path, default=Path("../shared/data/faces/index.csv"))
    parser.add_argument("--pixels", type=Path, required=True, help="decoded crops, uint8 [K, 128, 128, 3] (.npy)")
    parser.add_argument("--out", type=Path, required=True, help="folder for the checkpoint and the ONNX file")
    parser.add_argument("--steps", type=int, default=defaults.steps)
    parser.add_argument("--rate", type=float, default=defaults.rate, help="highest learning rate")
    parser.add_argument("--init-from", type=Path, help="begin with the averaged weights of another run's checkpoint")
    parser.add_argument("--every", type=int, default=200, help="steps between checkpoints")
    args = parser.parse_args()

    cv2.setNumThreads(1)
    recipe = Recipe(steps=args.steps, rate=args.rate)
    crops = load_crops(args.index, args.pixels)
    torch.manual_seed(recipe.seed)
    network = Landmarks().to(memory_format=torch.channels_last)
    if args.init_from:
        network.load_state_dict(torch.load(args.init_from, weights_only=True)["average"])
    average = copy.deepcopy(network).eval()
    decayed = [p for p in network.parameters() if p.ndim > 1]
    plain = [p for p in network.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": recipe.decay}, {"params": plain, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=recipe.rate)
    checkpoint, step = args.out / "checkpoint.pt", 0
    args.out.mkdir(parents=True, exist_ok=True)
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        if {**state["recipe"], "steps": recipe.steps} != asdict(recipe):
            raise SystemExit(f"{checkpoint} belongs to another recipe; give --out a new folder.")
        step = state["step"]
        network.load_state_dict(state["network"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
    total, began = 0.0, time.monotonic()
    while step < recipe.steps:
        rng = np.random.default_rng([recipe.seed, step])
        pixels, points = batch(crops, rng.choice(crops.train, recipe.batch, replace=False), recipe, rng)
        for group in optimiser.param_groups:
            group["lr"] = rate(step, recipe)
        network.train()
        x = torch.from_numpy(pixels).permute(0, 3, 1, 2).float()
        with torch.autocast("cpu", torch.bfloat16):
            said = network(x.contiguous(memory_format=torch.channels_last))
        target = torch.from_numpy((points - TEMPLATE) / EYES).flatten(1)
        loss = F.smooth_l1_loss(said.float(), target, beta=0.02)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        step += 1
        total += float(loss.detach())
        keep = min(recipe.averaging, (1 + step) / (20 + step))
        with torch.no_grad():
            for mean, value in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
                if mean.dtype.is_floating_point:
                    mean.lerp_(value, 1 - keep)
        if step % args.every == 0 or step == recipe.steps:
            error = measured(average, crops, recipe)
            spent = time.monotonic() - began
            print(f"step {step} {spent:.0f}s loss {total / args.every:.4f} dev {error:.4f}", flush=True)
            total = 0.0
            state = {
                "recipe": asdict(recipe), "step": step, "network": network.state_dict(),
                "average": average.state_dict(), "optimiser": optimiser.state_dict(),
            }  # fmt: skip
            partial = checkpoint.with_suffix(".partial")
            torch.save(state, partial)
            partial.replace(checkpoint)
            save(copy.deepcopy(average), args.out / "model.onnx")


if __name__ == "__main__":
    main()
