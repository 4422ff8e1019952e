"""What many looks of both teachers agree on, for tens of thousands of face crops at once.

The same looks as ``detector.consensus`` takes with OpenCV, on the device of the training: three sizes, mirrored or
not, two teachers; a look is the teacher's surest cell about the face.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from models.training.detector.consensus import CROP_MARGIN, LEAST_LOOKS, LEAST_SCORE, TEACHERS
from models.training.detector.targets import cells
from models.training.detector.teacher import Teacher

SIDES = (128, 192, 256)  # of the crop with its margin, in pixels
MIRRORED = (1, 0, 2, 4, 3)  # landmark order after a left-right flip
LEAST_OVERLAP = 0.4  # a look whose landmarks are further off, in inter-eye distances, is at something else


@torch.no_grad()
def agreed(crops: Tensor, points: Tensor, teachers: Path, chunk: int = 96) -> Tensor:
    """``points`` [K, 5, 2] of the aligned ``crops`` (uint8 [K, 128, 128, 3], RGB), replaced by the mean over all
    looks where enough of them agree. Only a chunk of the crops is on the device of ``points`` at a time."""
    device = points.device
    engines = [Teacher(teachers / name, device, guiding=False) for name in TEACHERS]
    out = []
    for first in range(0, len(crops), chunk):
        pixels = crops[first : first + chunk].to(device).flip(3).permute(0, 3, 1, 2).float()
        out.append(_agreed(engines, functional.pad(pixels, [CROP_MARGIN] * 4, value=127.0), points[first:][:chunk]))
    return torch.cat(out)


def _agreed(engines: list[Teacher], canvas: Tensor, points: Tensor) -> Tensor:
    total, count = torch.zeros_like(points), torch.zeros_like(points[:, 0, 0])
    eyes = (points[:, 1] - points[:, 0]).norm(dim=1)
    for side in SIDES:
        picture = functional.interpolate(canvas, (side, side), mode="bilinear", antialias=True)
        unit = side / canvas.shape[-1]
        for engine in engines:
            for mirrored in (False, True):
                score, said = look(engine, picture.flip(3) if mirrored else picture)
                if mirrored:
                    said[..., 0] = side - 1 - said[..., 0]
                    said = said[:, MIRRORED]
                said = said / unit - CROP_MARGIN
                away = (said - points).norm(dim=2).mean(1) / eyes
                good = ((score >= LEAST_SCORE) & (away < LEAST_OVERLAP)).float()
                total += good[:, None, None] * said
                count += good
    return torch.where((count >= LEAST_LOOKS)[:, None, None], total / count.clamp(min=1)[:, None, None], points)


def look(engine: Teacher, pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Score [N] and landmarks [N, 5, 2] of the surest cell in the middle of square pictures."""
    size = pictures.shape[-1]
    score, raw, _ = engine(pictures)
    corner, stride = cells(size, pictures.device)
    middle = ((corner - size / 2).abs() < 0.2 * size).all(1)
    best, which = torch.where(middle, score, 0.0).max(1)
    chosen = raw.gather(1, which[:, None, None].expand(-1, 1, 14))[:, 0, 4:]
    said = chosen * stride[which] + corner[which].repeat(1, 5)
    return best, said.reshape(-1, 5, 2)
