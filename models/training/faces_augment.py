"""Degradations of face crops, done on whole batches of tensors so that they cost little.

Images are float32 ``[B, 3, S, S]`` in 0..1. Each degradation strikes a random share of the batch.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn import functional

STORED = 128
"""Side of the stored crop in pixels."""

ALIGNED = 112
"""Side of the aligned crop in its centre."""


@dataclass(frozen=True)
class FaceAugmentation:
    """How often and how strongly to degrade. Shares are probabilities in 0..1."""

    flip: float = 0.5
    shift: float = 3.0
    """Standard deviation of the misalignment in pixels of the 112-pixel crop."""
    scale: float = 0.03
    """Standard deviation of the relative size error."""
    rotation: float = 3.0
    """Standard deviation of the roll error in degrees."""
    light: float = 0.6
    colour: float = 0.3
    grey: float = 0.08
    blur: float = 0.15
    downsample: float = 0.2
    jpeg: float = 0.15
    noise: float = 0.15
    occlusion: float = 0.2

    def milder(self) -> FaceAugmentation:
        """Half as often degraded, and seven tenths as far misaligned."""
        geometry = {"shift": self.shift * 0.7, "scale": self.scale * 0.7, "rotation": self.rotation * 0.7}
        kept = {"flip": self.flip} | geometry
        halved = {item.name: getattr(self, item.name) * 0.5 for item in fields(self) if item.name not in kept}
        return FaceAugmentation(**kept, **halved)


def uniform(count: int, low: float, high: float, device: torch.device) -> Tensor:
    """``count`` uniform numbers between ``low`` and ``high``, shaped ``[count, 1, 1, 1]``."""
    return torch.rand(count, 1, 1, 1, device=device) * (high - low) + low


def chosen(count: int, share: float, device: torch.device) -> Tensor:
    """Row numbers of a random ``share`` of the batch.

    Drawn on the CPU: how many they are must be known at once, and a GPU would have to finish all its work to tell.
    """
    return (torch.rand(count) < share).nonzero().flatten().to(device, non_blocking=True)


def average_neighbours(stored: Tensor) -> Tensor:
    """Mean of every 2 x 2 pixels of uint8 ``[B, H, W, 3]``, still uint8, one pixel less each way.

    Fine detail would alias when a crop is cut at half its resolution; in bytes this costs little.
    """
    halved = stored >> 1
    across = (halved[:, :, 1:] + halved[:, :, :-1]) >> 1
    return across[:, 1:] + across[:, :-1]


def crop(stored: Tensor, size: int, options: FaceAugmentation | None) -> Tensor:
    """Cut the aligned crop out of uint8 ``[B, 128, 128, 3]`` at ``size`` pixels.

    With ``options``, each cut is shifted, scaled, rolled and mirrored at random; without, it is the
    exact centre. One bilinear resampling does all of it.
    """
    if options is None:
        margin = (STORED - ALIGNED) // 2
        exact = stored[:, margin : margin + ALIGNED, margin : margin + ALIGNED]
        exact = exact.permute(0, 3, 1, 2).float().div_(255.0)
        if size == ALIGNED:
            return exact
        return functional.interpolate(exact, (size, size), mode="bilinear", antialias=True)
    count, device = len(stored), stored.device
    source = average_neighbours(stored) if size * 2 <= STORED else stored
    side = source.shape[1]
    images = source.permute(0, 3, 1, 2).float()
    reach = ALIGNED / side
    angle = torch.randn(count, device=device) * (options.rotation * torch.pi / 180.0)
    zoom = reach * (1.0 + torch.randn(count, device=device) * options.scale).clamp(0.85, 1.12)
    mirror = torch.where(torch.rand(count, device=device) < options.flip, -1.0, 1.0)
    moved = (torch.randn(count, 2, device=device) * options.shift).clamp(-9.0, 9.0) * 2.0 / side
    cosine, sine = zoom * angle.cos(), zoom * angle.sin()
    matrix = torch.stack(
        [
            torch.stack([cosine * mirror, -sine, moved[:, 0]], dim=1),
            torch.stack([sine * mirror, cosine, moved[:, 1]], dim=1),
        ],
        dim=1,
    )
    grid = functional.affine_grid(matrix, [count, 3, size, size], align_corners=False)
    cut = functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    return cut.div_(255.0)


def change_light(images: Tensor, options: FaceAugmentation) -> Tensor:
    """Exposure, contrast and a sideways shadow; some crops become very dark."""
    rows = chosen(len(images), options.light, images.device)
    if len(rows) == 0:
        return images
    part, device = images[rows], images.device
    gamma = torch.exp(torch.randn(len(rows), 1, 1, 1, device=device) * 0.35)
    gain = torch.exp(torch.randn(len(rows), 1, 1, 1, device=device) * 0.3)
    dark = (torch.rand(len(rows), 1, 1, 1, device=device) < 0.15).float()
    gain = gain * (1.0 - dark * uniform(len(rows), 0.4, 0.9, device))
    ramp = torch.linspace(-1.0, 1.0, images.shape[-1], device=device)
    shadow = 1.0 + ramp * (torch.randn(len(rows), 1, 1, 1, device=device) * 0.2)
    images[rows] = part.clamp_min(1e-3).pow(gamma) * gain * shadow
    return images


def change_colour(images: Tensor, options: FaceAugmentation) -> Tensor:
    """White balance and saturation; a few crops turn grey."""
    rows = chosen(len(images), options.colour, images.device)
    if len(rows):
        part = images[rows]
        balance = 1.0 + torch.randn(len(rows), 3, 1, 1, device=images.device) * 0.1
        grey = part.mean(dim=1, keepdim=True)
        keep = uniform(len(rows), 0.3, 1.5, images.device)
        images[rows] = (grey + (part - grey) * keep) * balance
    rows = chosen(len(images), options.grey, images.device)
    if len(rows):
        images[rows] = images[rows].mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)
    return images


def blur(images: Tensor, options: FaceAugmentation) -> Tensor:
    """Gaussian or straight motion blur, one strength for each struck crop."""
    rows = chosen(len(images), options.blur, images.device)
    if len(rows) == 0:
        return images
    part = images[rows]
    unit = images.shape[-1] / ALIGNED
    place = torch.arange(-4, 5, device=images.device, dtype=torch.float32)
    width = torch.rand(len(rows), 1, device=images.device) * 2.0 * unit + 0.3
    kernel = torch.exp(-0.5 * (place / width) ** 2)
    kernel = kernel / kernel.sum(dim=1, keepdim=True)
    motion = torch.rand(len(rows), device=images.device) < 0.4
    still = (place == 0).float().expand(len(rows), -1)
    upright = torch.where(motion[:, None], still, kernel)
    flat = part.reshape(1, -1, *part.shape[2:])
    across = kernel.repeat_interleave(3, dim=0)[:, None, None, :]
    down = upright.repeat_interleave(3, dim=0)[:, None, :, None]
    flat = functional.conv2d(functional.pad(flat, (4, 4, 0, 0), "replicate"), across, groups=flat.shape[1])
    flat = functional.conv2d(functional.pad(flat, (0, 0, 4, 4), "replicate"), down, groups=flat.shape[1])
    images[rows] = flat.reshape(part.shape)
    return images


def downsample(images: Tensor, options: FaceAugmentation) -> Tensor:
    """Lose detail as a distant or small face does: shrink to 16..56 pixels and enlarge again."""
    size = images.shape[-1]
    for small in (20, 28, 40):
        rows = chosen(len(images), options.downsample / 3.0, images.device)
        if len(rows) and small < size:
            tiny = functional.interpolate(images[rows], (small, small), mode="area")
            images[rows] = functional.interpolate(tiny, (size, size), mode="bilinear")
    return images


def cosine_basis() -> Tensor:
    """The orthonormal 8-point DCT-II matrix, ``[frequency, place]``."""
    place = torch.arange(8, dtype=torch.float32)
    basis = torch.cos(torch.pi * (2 * place[None, :] + 1) * place[:, None] / 16.0) / 2.0
    basis[0] /= 2.0**0.5
    return basis


def compress(images: Tensor, options: FaceAugmentation) -> Tensor:
    """Block artefacts like JPEG's: quantise 8 x 8 cosine blocks, coarser at high frequency."""
    rows = chosen(len(images), options.jpeg, images.device)
    size = images.shape[-1] // 8 * 8
    if len(rows) == 0:
        return images
    part = images[rows][:, :, :size, :size]
    basis = cosine_basis().to(images.device)
    blocks = part.unflatten(3, (-1, 8)).unflatten(2, (-1, 8)).transpose(3, 4)
    spectrum = basis @ blocks @ basis.T
    order = torch.arange(8, device=images.device, dtype=torch.float32)
    step = 1.0 + 0.7 * (order[:, None] + order[None, :])
    coarse = torch.exp(torch.rand(len(rows), 1, 1, 1, 1, 1, device=images.device) * 2.0) * 0.03
    quantised = (spectrum / (step * coarse)).round() * (step * coarse)
    restored = (basis.T @ quantised @ basis).transpose(3, 4).flatten(4, 5).flatten(2, 3)
    images[rows, :, :size, :size] = restored
    return images


def add_noise(images: Tensor, options: FaceAugmentation) -> Tensor:
    """Sensor noise of a random strength."""
    rows = chosen(len(images), options.noise, images.device)
    if len(rows):
        strength = uniform(len(rows), 0.01, 0.08, images.device)
        images[rows] += torch.randn_like(images[rows]) * strength
    return images


def occlude(images: Tensor, options: FaceAugmentation) -> Tensor:
    """Cover a part: the lower face (mask), the eyes (dark glasses), or any box (hand, hair)."""
    rows = chosen(len(images), options.occlusion, images.device)
    if len(rows) == 0:
        return images
    count, device = len(rows), images.device
    random = torch.rand(count, 4, device=device)
    kind = torch.randint(0, 4, (count,), device=device)
    top, left = random[:, 0] * 0.8, random[:, 1] * 0.8
    bottom, right = top + 0.15 + 0.25 * random[:, 2], left + 0.15 + 0.25 * random[:, 3]
    mask, glasses = kind == 0, kind == 1
    top = torch.where(mask, 0.52 + 0.1 * random[:, 0], top)
    top = torch.where(glasses, 0.33 + 0.07 * random[:, 0], top)
    bottom = torch.where(mask, 1.0, torch.where(glasses, 0.5 + 0.08 * random[:, 2], bottom))
    left = torch.where(mask | glasses, 0.1 * random[:, 1], left)
    right = torch.where(mask | glasses, 1.0 - 0.1 * random[:, 3], right)
    place = (torch.arange(images.shape[-1], device=device) + 0.5) / images.shape[-1]
    inside_y = (place >= top[:, None]) & (place <= bottom[:, None])
    inside_x = (place >= left[:, None]) & (place <= right[:, None])
    covered = (inside_y[:, :, None] & inside_x[:, None, :])[:, None]
    paint = torch.rand(count, 3, 1, 1, device=device)
    paint = torch.where(glasses[:, None, None, None], paint * 0.3, paint)
    images[rows] = torch.where(covered, paint, images[rows])
    return images


def augment(stored: Tensor, size: int, options: FaceAugmentation) -> Tensor:
    """Degraded training crops: uint8 ``[B, 128, 128, 3]`` to float32 ``[B, 3, size, size]``, 0..255."""
    images = crop(stored, size, options)
    images = occlude(images, options)
    images = change_light(images, options)
    images = change_colour(images, options)
    images = blur(images, options)
    images = downsample(images, options)
    images = add_noise(images, options)
    images = compress(images.clamp(0.0, 1.0), options)
    return images.clamp_(0.0, 1.0).mul_(255.0)
