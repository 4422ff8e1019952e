"""All pictures of a training in one tensor, from which whole batches of views are cut at once."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import torch
from torch import Tensor

from .data import Photo

LEVELS = 4  # each picture is kept at full, half, quarter and eighth size, so that small views do not alias


class Atlas:
    """``pixels`` int32 [total]: every picture at every level, row by row, four bytes a pixel (BGR and a spare).

    ``start`` int64 [P, LEVELS] is where a picture begins, ``extent`` float32 [P, LEVELS, 2] its width and height.
    """

    def __init__(self, photos: Sequence[Photo], device: torch.device, threads: int = 4) -> None:
        with ThreadPoolExecutor(threads) as pool:
            ladders = list(pool.map(_ladder, photos))
        self.extent = torch.tensor([[[p.shape[1], p.shape[0]] for p in ladder] for ladder in ladders]).float()
        counts = self.extent.prod(2).long().flatten()
        self.start = (counts.cumsum(0) - counts).reshape(-1, LEVELS).to(device)
        self.extent = self.extent.to(device)
        flat = np.empty((int(counts.sum()), 4), np.uint8)
        first = 0
        for ladder in ladders:
            for picture in ladder:
                last = first + picture.shape[0] * picture.shape[1]
                flat[first:last] = picture.reshape(-1, 4)
                first = last
        self.pixels = torch.from_numpy(flat.view(np.int32)[:, 0]).to(device)

    def look(self, start: Tensor, extent: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Bilinear samples [..., 3] at ``x``, ``y`` of the pictures that begin at ``start`` and are ``extent``
        [..., 2] large, all of one shape; and which of the places lie in the picture."""
        width, height = extent.unbind(-1)
        inside = (x >= -0.5) & (x < width - 0.5) & (y >= -0.5) & (y < height - 0.5)
        x = torch.minimum(x.clamp(min=0), width - 1)
        y = torch.minimum(y.clamp(min=0), height - 1)
        left = torch.minimum(x.floor(), (width - 2).clamp(min=0))
        top = torch.minimum(y.floor(), (height - 2).clamp(min=0))
        across, down = (x - left)[..., None], (y - top)[..., None]
        row = width.long()
        place = start + top.long() * row + left.long()
        upper = torch.lerp(self._at(place), self._at(place + 1), across)
        lower = torch.lerp(self._at(place + row), self._at(place + row + 1), across)
        return torch.lerp(upper, lower, down), inside

    def _at(self, place: Tensor) -> Tensor:
        return self.pixels[place].unsqueeze(-1).view(torch.uint8)[..., :3].float()


def _ladder(photo: Photo) -> list[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    """The picture at every level, four channels."""
    picture = cv2.cvtColor(photo.decode(), cv2.COLOR_BGR2BGRA)
    out = [picture]
    for level in range(1, LEVELS):
        size = (max(2, round(picture.shape[1] / 2**level)), max(2, round(picture.shape[0] / 2**level)))
        out.append(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
    return [np.asarray(p, np.uint8) for p in out]
