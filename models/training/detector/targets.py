"""Which cell learns which face, and the losses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from .data import Floats
from .network import STRIDES

# Face side in pixels taught at each stride. The ranges overlap: a face near a limit
# teaches both levels, so that no size falls between two.
SIZES = {8: (0.0, 44.0), 16: (34.0, 130.0), 32: (100.0, 1e9)}
RADIUS = 1.5  # cells around the centre of a face that predict it, in strides


@dataclass
class Targets:
    """Per cell, all levels concatenated (stride 8 first): ``state`` 1 face, 0 background,
    -1 left alone; ``box`` centre x, y, width, height and ``points`` (10), in pixels."""

    state: NDArray[np.int8]
    box: Floats
    points: Floats


def assign(faces: Floats, size: int) -> Targets:
    """Targets of one square picture. Where faces compete for a cell, the nearer centre wins."""
    states, boxes, points = [], [], []
    for stride in STRIDES:
        n = size // stride
        axis = (np.arange(n, dtype=np.float32)) * stride
        gx, gy = (v.ravel() for v in np.meshgrid(axis, axis))
        state = np.zeros(n * n, np.int8)
        box = np.zeros((n * n, 4), np.float32)
        point = np.zeros((n * n, 10), np.float32)
        nearest = np.full(n * n, np.inf, np.float32)
        for face in faces:
            x, y, w, h = (float(v) for v in face[:4])
            cx, cy, side = x + w / 2, y + h / 2, float(np.sqrt(w * h))
            if face[14] < 1:
                inside = (np.abs(gx - cx) < w / 2 + stride / 2) & (np.abs(gy - cy) < h / 2 + stride / 2)
                state[inside & (state == 0)] = -1
                continue
            low, high = SIZES[stride]
            if not low <= side < high:
                continue
            reach = min(RADIUS * stride, max(0.35 * side, 0.75 * stride))
            away = np.maximum(np.abs(gx - cx), np.abs(gy - cy))
            mine = (away <= reach) & (away < nearest)
            nearest[mine] = away[mine]
            state[mine] = 1
            box[mine] = (cx, cy, w, h)
            point[mine] = face[4:14]
        states.append(state)
        boxes.append(box)
        points.append(point)
    return Targets(np.concatenate(states), np.concatenate(boxes), np.concatenate(points))


def cells(size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Corner of every cell [M, 2] and its stride [M, 1], in pixels, all levels concatenated."""
    corners, strides = [], []
    for stride in STRIDES:
        axis = torch.arange(size // stride, device=device, dtype=torch.float32) * stride
        gy, gx = torch.meshgrid(axis, axis, indexing="ij")
        corners.append(torch.stack([gx.ravel(), gy.ravel()], 1))
        strides.append(torch.full((gx.numel(), 1), float(stride), device=device))
    return torch.cat(corners), torch.cat(strides)


def _iou(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and distance-IoU of boxes [M, 4] given as centre and size (Zheng et al., 2020)."""
    a0, a1 = a[:, :2] - a[:, 2:] / 2, a[:, :2] + a[:, 2:] / 2
    b0, b1 = b[:, :2] - b[:, 2:] / 2, b[:, :2] + b[:, 2:] / 2
    overlap = (torch.minimum(a1, b1) - torch.maximum(a0, b0)).clamp(min=0).prod(1)
    union = a[:, 2:].prod(1) + b[:, 2:].prod(1) - overlap
    iou = overlap / union.clamp(min=1e-6)
    hull = (torch.maximum(a1, b1) - torch.minimum(a0, b0)).square().sum(1)
    apart = (a[:, :2] - b[:, :2]).square().sum(1)
    return iou, iou - apart / hull.clamp(min=1e-6)


def hint_loss(features: dict[str, Tensor], hints: dict[str, Tensor], near: Tensor, size: int) -> Tensor:
    """Mean squared distance of our features to the teacher's (scaled to unit variance).

    ``near`` bool [N, M] says which cells lie about a face; the rest count a quarter. Where we
    have more channels than the teacher, the first ones learn.
    """
    weight = (0.25 + 0.75 * near.float()).split([(size // s) ** 2 for s in STRIDES], dim=1)
    total = torch.zeros((), device=near.device)
    for name, hint in hints.items():
        ours = features[name].float()[:, : hint.shape[1]]
        target = hint.float()
        level = [str(s) for s in STRIDES].index(name.lstrip("abcdefghijklmnopqrstuvwxyz"))
        w = weight[level].reshape(len(hint), 1, *hint.shape[2:])
        total = total + (w * (ours - target).square()).sum() / (w.sum() * hint.shape[1])
    return total / len(hints)


def loss(maps: list[Tensor], score: Tensor, target: Tensor, size: int) -> dict[str, Tensor]:
    """Losses of a batch against soft targets: ``maps`` as the network returns them, ``score`` [N, M]
    in 0 to 1, ``target`` [N, M, 14] box and landmarks as encoded.

    Both the class and the objectness head learn the score, so that their geometric mean, which
    the decoder takes, is it. Box and landmarks count with the score, where it is at least 0.2.
    """
    raw = torch.cat([m.float().flatten(2).transpose(1, 2) for m in maps], 1)
    corner, stride = cells(size, raw.device)
    total = score.sum().clamp(min=1)
    told = score >= 0.2
    where = told.nonzero()[:, 1]
    weight, p, t, s, c = score[told], raw[told][:, 2:], target[told], stride[where], corner[where]
    side = (t[:, 2:4].clamp(-4, 4).mean(1, keepdim=True)).exp()
    ours, theirs = (torch.cat([v[:, :2] * s + c, v[:, 2:4].clamp(-4, 4).exp() * s], 1) for v in (p, t))
    distance_iou = _iou(ours, theirs)[1]
    apart = (p[:, 4:] - t[:, 4:]) / side
    points = F.smooth_l1_loss(apart, torch.zeros_like(apart), beta=0.01, reduction="none").mean(1)
    both = F.binary_cross_entropy_with_logits(raw[..., :2], score[..., None].expand(-1, -1, 2), reduction="none")
    least = -(score * score.clamp(min=1e-4).log() + (1 - score) * (1 - score).clamp(min=1e-4).log())
    return {
        "score": (both.mean(2) - least).sum() / total,
        "box": 3.0 * (weight * (1 - distance_iou)).sum() / total,
        "kps": 30.0 * (weight * points).sum() / total,
    }
