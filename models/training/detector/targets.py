"""Which cell learns which face, and the losses."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .network import STRIDES

# Face side in pixels taught at each stride. The ranges overlap: a face near a limit
# teaches both levels, so that no size falls between two.
SIZES = {8: (0.0, 44.0), 16: (34.0, 130.0), 32: (100.0, 1e9)}
FALSE_FACES = 3.0  # how much more background counts where the network is sure of a face
RADIUS = 1.5  # cells around the centre of a face that predict it, in strides


def assign(faces: Tensor, size: int) -> Tensor:
    """Which face each cell of square pictures learns, int64 [N, M], all levels concatenated (stride 8 first); -1 none.

    ``faces`` [N, K, 15] as in a plan. Where faces compete for a cell, the nearer centre wins.
    """
    corner, stride = cells(size, faces.device)
    side = faces[..., 2:4].clamp(min=0).prod(-1).sqrt()[..., None]
    low = torch.zeros_like(stride[:, 0])
    high = torch.zeros_like(low)
    for level, (least, most) in SIZES.items():
        low = torch.where(stride[:, 0] == level, least, low)
        high = torch.where(stride[:, 0] == level, most, high)
    centre = faces[..., :2] + faces[..., 2:4] / 2
    away = (corner - centre[:, :, None]).abs().amax(3)  # [N, K, M]
    reach = torch.minimum(RADIUS * stride[:, 0], torch.maximum(0.35 * side, 0.75 * stride[:, 0]))
    mine = (away <= reach) & (side >= low) & (side < high) & (faces[..., 14:] == 1)
    nearest, which = torch.where(mine, away, torch.inf).min(1)
    return torch.where(nearest.isfinite(), which, -1)


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
    """IoU and distance-IoU of boxes [..., 4] given as centre and size (Zheng et al., 2020)."""
    a0, a1 = a[..., :2] - a[..., 2:] / 2, a[..., :2] + a[..., 2:] / 2
    b0, b1 = b[..., :2] - b[..., 2:] / 2, b[..., :2] + b[..., 2:] / 2
    shared = (torch.minimum(a1, b1) - torch.maximum(a0, b0)).clamp(min=0)
    overlap = shared[..., 0] * shared[..., 1]  # the gradient of prod() would wait for the device
    union = a[..., 2] * a[..., 3] + b[..., 2] * b[..., 3] - overlap
    iou = overlap / union.clamp(min=1e-6)
    hull = (torch.maximum(a1, b1) - torch.minimum(a0, b0)).square().sum(-1)
    apart = (a[..., :2] - b[..., :2]).square().sum(-1)
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
    weight = torch.where(score >= 0.2, score, 0.0)
    p = raw[..., 2:]
    side = (target[..., 2:4].clamp(-4, 4).mean(2, keepdim=True)).exp()
    ours, theirs = (
        torch.cat([v[..., :2] * stride + corner, v[..., 2:4].clamp(-4, 4).exp() * stride], 2) for v in (p, target)
    )
    distance_iou = _iou(ours, theirs)[1]
    apart = (p[..., 4:] - target[..., 4:]) / side
    points = F.smooth_l1_loss(apart, torch.zeros_like(apart), beta=0.01, reduction="none").mean(2)
    both = F.binary_cross_entropy_with_logits(raw[..., :2], score[..., None].expand(-1, -1, 2), reduction="none")
    least = -(score * score.clamp(min=1e-4).log() + (1 - score) * (1 - score).clamp(min=1e-4).log())
    # What passes for a face and is none: the surer the network, the more it counts.
    said = raw[..., :2].detach().sigmoid().prod(2).sqrt()
    false = torch.where(score < 0.05, 1 + FALSE_FACES * said, 1.0)
    return {
        "score": (false * (both.mean(2) - least)).sum() / total,
        "box": 3.0 * (weight * (1 - distance_iou)).sum() / total,
        "kps": 30.0 * (weight * points).sum() / total,
    }
