"""Training pictures from their plan, made on the device of the network: geometry, covers, light, sensor."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from models.training import faces_augment

from .atlas import Atlas
from .augment import TILES, Plan

LIGHT = faces_augment.FaceAugmentation(light=0.6, colour=0.3, grey=0.12, noise=0.15, jpeg=0.3)
TAPS = 5  # of a blur, to each side


def paint(atlas: Atlas, plan: Plan) -> Tensor:
    """The pictures float32 [N, 3, S, S], BGR, 0 to 255, as the teacher sees them."""
    device, size = atlas.pixels.device, plan.size
    number, level = _on(plan.number, device), _on(plan.level, device)
    axis = torch.arange(size, device=device, dtype=torch.float32)
    tile = (axis >= _on(plan.cuts, device)[..., None]).sum(2)  # [N, 2, S]: column and row of each place
    first = torch.arange(len(number), device=device) * TILES
    which = first[:, None, None] + tile[:, 0, None, :] + 3 * tile[:, 1, :, None]
    a, b, c, d, e, f = _on(plan.matrix, device).reshape(-1, 6)[which].unbind(-1)
    x, y = axis[None, None, :], axis[None, :, None]
    start = atlas.start[number, level].flatten()[which]
    extent = atlas.extent[number, level].reshape(-1, 2)[which]
    seen, inside = atlas.look(start, extent, a * x + b * y + c, d * x + e * y + f)
    ground = _on(plan.ground, device)[:, :, None, None]
    slope = ground[:, 3:4] * torch.linspace(-1, 1, size, device=device)[:, None]
    torch.manual_seed(plan.seed)
    rough = ground[:, 4:] * torch.randn(1, 3, size, size, device=device)
    ground = (ground[:, :3] + slope + rough).clamp(0, 255)
    some = np.flatnonzero(plan.behind >= 0)
    if len(some):
        ground[_on(some, device)] = _backdrops(atlas, plan, some, axis)
    return torch.where(inside[:, None], seen.permute(0, 3, 1, 2), ground)


def _backdrops(atlas: Atlas, plan: Plan, some: NDArray[np.int64], axis: Tensor) -> Tensor:
    """The photographs behind the pictures ``some``, which they fill."""
    number = _on(plan.behind[some], axis.device)
    zoom, left, top = _on(plan.window[some], axis.device)[:, :, None, None].unbind(1)
    start, extent = atlas.start[number, 0][:, None, None], atlas.extent[number, 0][:, None, None]
    x = (zoom * axis + left).expand(-1, plan.size, -1)
    y = (zoom * axis[:, None] + top).expand(-1, -1, plan.size)
    return atlas.look(start, extent, x, y)[0].permute(0, 3, 1, 2)


def disturb(clean: Tensor, plan: Plan) -> Tensor:
    """What a camera makes of the pictures: most often with covered faces, another light and noise."""
    torch.manual_seed(plan.seed)
    rows = np.flatnonzero(~plan.clean)
    if not len(rows):
        return clean
    device = clean.device
    part = clean[_on(rows, device)]
    for k in range(int(plan.covered[rows].max())):
        some = np.flatnonzero(plan.covered[rows] > k)
        at = _on(some, device)
        corners = _on(plan.covers[rows[some], k], device)
        part[at] = cover(part[at], corners, _on(plan.colour[rows[some], k], device))
    soft = np.flatnonzero(plan.blur[rows] > 0)
    if len(soft):
        at = _on(soft, device)
        part[at] = blur(part[at], _on(plan.blur[rows[soft]], device))
    part = part / 255.0
    part = faces_augment.change_light(part, LIGHT)
    part = faces_augment.change_colour(part, LIGHT)
    part = faces_augment.add_noise(part, LIGHT)
    part = faces_augment.compress(part.clamp(0, 1), LIGHT)
    out = clean.clone()
    out[_on(rows, device)] = part.clamp(0, 1) * 255.0
    return out


def cover(pictures: Tensor, corners: Tensor, colour: Tensor) -> Tensor:
    """Paint one convex polygon ``corners`` [N, C, 2] of ``colour`` [N, 3] into each picture [N, 3, S, S]."""
    axis = torch.arange(pictures.shape[-1], device=pictures.device, dtype=torch.float32)
    ends = corners.roll(-1, 1)
    area = (corners[..., 0] * ends[..., 1] - corners[..., 1] * ends[..., 0]).sum(1)
    edge = (ends - corners) * torch.where(area < 0, -1.0, 1.0)[:, None, None]
    edge = edge / edge.norm(dim=2, keepdim=True).clamp(min=1e-6)
    inside = torch.full_like(pictures[:, 0], torch.inf)
    for k in range(corners.shape[1]):
        (x, y), (dx, dy) = (v[:, k, :, None, None].unbind(1) for v in (corners, edge))
        inside = torch.minimum(inside, dx * (axis[:, None] - y) - dy * (axis - x))
    share = (inside + 0.5).clamp(0, 1)[:, None]
    return torch.lerp(pictures, colour[:, :, None, None].expand_as(pictures), share)


def blur(pictures: Tensor, deviation: Tensor) -> Tensor:
    """Gaussian blur of ``deviation`` [N] pixels, a weighted sum of shifted pictures in either direction."""
    place = torch.arange(-TAPS, TAPS + 1, device=pictures.device, dtype=torch.float32)
    weight = torch.exp(-0.5 * (place / deviation[:, None]) ** 2)
    weight = (weight / weight.sum(1, keepdim=True))[:, :, None, None, None]
    for axis, padding in ((2, (0, 0, TAPS, TAPS)), (3, (TAPS, TAPS, 0, 0))):
        wide = functional.pad(pictures, padding, mode="replicate")
        length = pictures.shape[axis]
        pictures = torch.stack([weight[:, k] * wide.narrow(axis, k, length) for k in range(2 * TAPS + 1)]).sum(0)
    return pictures


def _on(values: NDArray[np.generic], device: torch.device) -> Tensor:
    return torch.from_numpy(values).to(device, non_blocking=True)
