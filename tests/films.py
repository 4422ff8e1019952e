"""Short films of the demo people: portraits that move over a plain ground."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import av
import cv2
import numpy as np

from verify_app.domain import ImageArray

WIDTH, HEIGHT, RATE = 960, 540, 12
Part = tuple[str, int, int]
"""A portrait (``ada/face-reference-1.jpg``), and where its left edge is at the beginning and at the end of a scene."""


def scene(portraits: Path, seconds: float, *parts: Part, ground: int = 120) -> Iterable[ImageArray]:
    """Frames in which portraits move from one place to another."""
    pictures = {name: cv2.cvtColor(cv2.imread(str(portraits / name)), cv2.COLOR_BGR2RGB) for name, _, _ in parts}
    frames = round(seconds * RATE)
    for index in range(frames):
        image = np.full((HEIGHT, WIDTH, 3), ground, np.uint8)
        for name, begin, end in parts:
            picture = pictures[name]
            left = round(begin + (end - begin) * index / max(frames - 1, 1))
            first, last = max(left, 0), min(left + picture.shape[1], WIDTH)
            if first < last:
                image[100 : 100 + picture.shape[0], first:last] = picture[:, first - left : last - left]
        yield image


def film(path: Path, *scenes: Iterable[ImageArray], codec: str = "libx264") -> Path:
    """Write scenes one after the other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", options={"movflags": "faststart"} if path.suffix == ".mp4" else {}) as output:
        stream = output.add_stream(codec, rate=RATE)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = WIDTH, HEIGHT, "yuv420p", RATE
        for frames in scenes:
            for image in frames:
                output.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        output.mux(stream.encode(None))
    return path
