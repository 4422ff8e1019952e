"""What the training pictures show: which photographs, where, how large and turned, what covers a face.

A plan of a batch holds numbers only and is drawn on the processor, from one generator; ``render``
makes the pictures of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .data import FACE_SCORE, Floats, Photo

SMALLEST_FACE = 9.0  # pixels; smaller faces are neither taught nor punished
VISIBLE_POSITIVE = 0.65  # share of the box that must be in the picture to teach it as a face
VISIBLE_IGNORED = 0.2  # below this share the rest of a face is background
MIRRORED = np.array([1, 0, 2, 4, 3])  # landmark order after a left-right flip
TILES = 9  # at most three by three photographs in a picture
LEVELS = 4  # sizes at which the photographs are kept, each half of the one before
COVERS = 6  # at most so many painted polygons in a picture
CORNERS = 6  # of each
NEVER = 1e9  # a cut that no pixel reaches

Matrix = np.ndarray[tuple[int, int], np.dtype[np.float64]]


@dataclass
class Plan:
    """A batch of N square pictures of ``size`` pixels.

    Tiles T are numbered by row of three; ``cuts`` float32 [N, 2, 2] are the columns and the rows at which the second
    and the third begin. Each shows picture ``number`` int64 [N, T] at ``level`` int64 [N, T]; ``matrix`` float32
    [N, T, 6] leads from a pixel to the place there. ``ground`` float32 [N, 5] is colour, slope and roughness of what is
    behind them, or else photograph ``behind`` int64 [N] (-1 none), which has no faces; ``window`` float32 [N, 3] is
    the size of a pixel in it and the place of the first. ``faces`` float32 [N, K, 15] are box, landmarks and role: 1
    learn, 0 leave alone, -1 none. ``covers`` float32 [N, COVERS, CORNERS, 2] are ``covered`` int64 [N] convex polygons
    of ``colour`` float32 [N, COVERS, 3]. ``blur`` float32 [N] is the deviation in pixels; pictures that are ``clean``
    bool [N] stay as the teacher sees them.
    """

    size: int
    seed: int
    number: NDArray[np.int64]
    level: NDArray[np.int64]
    matrix: Floats
    cuts: Floats
    ground: Floats
    behind: NDArray[np.int64]
    window: Floats
    faces: Floats
    covers: Floats
    covered: NDArray[np.int64]
    colour: Floats
    blur: Floats
    clean: NDArray[np.bool_]


@dataclass(frozen=True)
class Pools:
    """What training draws from: ``photos`` in the order of the atlas, their widths and heights ``extents`` [P, 2], and
    the numbers of those with a face, of masked faces, of crops, and of those without a face."""

    photos: list[Photo]
    extents: NDArray[np.int64]
    seen: NDArray[np.int64]
    masked: NDArray[np.int64]
    crops: NDArray[np.int64]
    empty: NDArray[np.int64]

    @classmethod
    def of(cls, photos: list[Photo], extents: NDArray[np.int64]) -> Pools:
        """Sort the photographs into pools."""
        crop = np.array([p.source == "crop" for p in photos])
        some = np.array([len(p.faces) > 0 for p in photos])
        masked = np.array([p.source == "masked" for p in photos])
        pools = (~crop & some, masked & some, crop, ~crop & ~some)
        return cls(photos, extents, *(np.flatnonzero(pool) for pool in pools))

    def draw(self, whole: bool, rng: np.random.Generator) -> int:
        """A photograph; most often with a face, when it is not shown ``whole``."""
        shares = (0.45, 0.1, 0.1, 0.35) if whole else (0.42, 0.12, 0.41, 0.05)
        pools = (self.seen, self.masked, self.crops, self.empty)
        pool = pools[int(np.searchsorted(np.cumsum(shares)[:-1], rng.random(), side="right"))]
        pool = pool if len(pool) else np.arange(len(self.photos))
        return int(pool[int(rng.integers(len(pool)))])


def compose(pools: Pools, size: int, count: int, seed: int) -> Plan:
    """The plan of ``count`` random pictures of ``size`` x ``size`` pixels."""
    rng = np.random.default_rng(seed)
    plan = Plan(
        size, seed,
        number=np.zeros((count, TILES), np.int64), level=np.zeros((count, TILES), np.int64),
        matrix=np.zeros((count, TILES, 6), np.float32), cuts=np.full((count, 2, 2), NEVER, np.float32),
        ground=np.zeros((count, 5), np.float32), behind=np.full(count, -1), window=np.zeros((count, 3), np.float32),
        faces=np.zeros((0, 0, 15), np.float32),
        covers=np.zeros((count, COVERS, CORNERS, 2), np.float32), covered=np.zeros(count, np.int64),
        colour=np.zeros((count, COVERS, 3), np.float32),
        blur=np.where(rng.random(count) < 0.15, rng.uniform(0.5, 2.5, count), 0).astype(np.float32),
        clean=rng.random(count) < 0.2,
    )  # fmt: skip
    every = [_fill(plan, i, pools, rng) for i in range(count)]
    plan.faces = np.full((count, max(1, *(len(f) for f in every)), 15), -1, np.float32)
    for i, faces in enumerate(every):
        plan.faces[i, : len(faces)] = faces
        if rng.random() < 0.35:
            _cover(plan, i, faces, rng)
    return plan


def _fill(plan: Plan, i: int, pools: Pools, rng: np.random.Generator) -> Floats:
    """Choose ground and photographs of picture ``i``; its faces."""
    size = plan.size
    colour = rng.choice([0.0, 255.0, 127.0]) if rng.random() < 0.5 else rng.uniform(0, 255, 3)
    plan.ground[i, :3] = colour
    plan.ground[i, 3] = rng.uniform(-60, 60) if rng.random() < 0.3 else 0
    plan.ground[i, 4] = rng.uniform(2, 30) if rng.random() < 0.2 else 0
    if rng.random() < 0.5 and len(pools.empty):
        plan.behind[i] = pools.empty[int(rng.integers(len(pools.empty)))]
        extent = pools.extents[plan.behind[i]]
        zoom = extent.min() / size * np.exp(rng.uniform(-0.7, 0))
        corner = rng.uniform(0, 1, 2) * (extent - 1 - zoom * (size - 1))
        plan.window[i] = (zoom, *corner)
    across = 1
    if rng.random() < (0.55 if size < 400 else 0.25):  # a grid: most faces per pixel, so most to learn
        across = int(rng.integers(2, 4))
        inner = np.linspace(0, size, across + 1)[1:-1]
        plan.cuts[i, :, : across - 1] = np.round(inner + rng.uniform(-0.12, 0.12, across - 1) * size / across)
    edges = [0.0, *plan.cuts[i, 0, : across - 1], float(size)]
    faces = []
    for row in range(across):
        for column in range(across):
            tile = (edges[column], edges[row], edges[column + 1], edges[row + 1])
            faces.append(_place(plan, (i, 3 * row + column), tile, pools, rng))
    return np.concatenate(faces)


def _place(
    plan: Plan, where: tuple[int, int], tile: tuple[float, ...], pools: Pools, rng: np.random.Generator
) -> Floats:
    """Choose what a tile shows: the whole of a photograph, or one face that leads. Its faces in the picture."""
    x0, y0, x1, y1 = tile
    whole = rng.random() < 0.35
    number = pools.draw(whole, rng)
    photo, extent = pools.photos[number], pools.extents[number].astype(float)
    room = min(x1 - x0, y1 - y0)
    certain = photo.certain
    centre, scale = extent / 2, room / extent.max()
    if whole:
        scale *= np.exp(rng.uniform(np.log(0.6), np.log(1.8)))
        centre = extent * rng.uniform(0.35, 0.65, 2)
    elif len(certain):
        face = certain[int(rng.integers(len(certain)))]
        side = float(np.sqrt(face[2] * face[3]))
        target = _side(room, side, rng)
        scale = target / side
        spread = max(0.0, room - target) / 2 / scale
        centre = face[:2] + face[2:4] / 2 + rng.uniform(-1, 1, 2) * spread
    roll = np.deg2rad(rng.uniform(-60, 60) if rng.random() < 0.4 else rng.normal(0, 7))
    flip = -1.0 if rng.random() < 0.5 else 1.0
    linear = scale * np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]]) @ np.diag([flip, 1.0])
    middle = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
    forth = np.concatenate([linear, (middle - linear @ centre)[:, None]], axis=1)
    level = int(np.clip(np.floor(-np.log2(scale) + rng.uniform(0.1, 0.6)), 0, LEVELS - 1))
    back = np.linalg.inv(linear)
    # Pixel centres: place p of the full picture is (p + .5) / 2**level - .5 of a smaller one.
    shift = (0.5 - back @ forth[:, 2]) / 2**level - 0.5
    plan.number[where], plan.level[where] = number, level
    plan.matrix[where] = np.concatenate([back / 2**level, shift[:, None]], axis=1).ravel()
    faces = transform_faces(photo.faces, forth, flip < 0)
    cut = photo.source == "crop"  # its box reaches past the crop by nature
    faces[:, 14] = [_role(f, s, tile, cut) for f, s in zip(faces, photo.faces[:, 14], strict=True)]
    return faces[faces[:, 14] >= 0]


def _side(room: float, side: float, rng: np.random.Generator) -> float:
    """How large the leading face shall be in so much room, in pixels: small, any size, or filling the room."""
    largest = min(0.97 * room, 8.0 * side)
    draw = rng.random()
    low, high = (10.0, 36.0) if draw < 0.35 else (18.0, largest) if draw < 0.6 else (0.45 * room, largest)
    high = min(high, largest)
    return float(np.exp(rng.uniform(np.log(min(low, high)), np.log(high))))


def _role(face: Floats, label: float, tile: tuple[float, ...], cut: bool) -> float:
    """1 learn, 0 leave alone, -1 drop: by label, size and how much of the box is in view."""
    x, y, w, h = (float(v) for v in face[:4])
    seen_x = max(0.0, min(x + w, tile[2]) - max(x, tile[0]))
    seen_y = max(0.0, min(y + h, tile[3]) - max(y, tile[1]))
    seen = seen_x * seen_y / max(w * h, 1e-6)
    if seen < VISIBLE_IGNORED:
        return -1.0
    certain = label >= FACE_SCORE and (seen >= VISIBLE_POSITIVE or (cut and seen >= 0.6))
    return 1.0 if certain and np.sqrt(w * h) >= SMALLEST_FACE else 0.0


def transform_faces(faces: Floats, matrix: Matrix, mirrored: bool) -> Floats:
    """Faces under a similarity ``matrix`` [2, 3]. A box turns as the ellipse inside it does:
    its new sides are those of the turned ellipse's bounding box."""
    out = faces.copy()
    if len(faces) == 0:
        return out
    linear, shift = matrix[:, :2], matrix[:, 2]
    centre = (faces[:, :2] + faces[:, 2:4] / 2) @ linear.T + shift
    size = np.sqrt((faces[:, 2:4] ** 2) @ (linear**2).T)
    out[:, :2], out[:, 2:4] = centre - size / 2, size
    points = faces[:, 4:14].reshape(-1, 5, 2) @ linear.T + shift
    out[:, 4:14] = (points[:, MIRRORED] if mirrored else points).reshape(-1, 10)
    return out


def mask_outline(points: Floats, rng: np.random.Generator) -> Matrix:
    """Corners [6, 2] of a cloth over nose, mouth and chin of a face with these landmarks [5, 2]."""
    across = points[1] - points[0]
    down = (points[3] + points[4]) / 2 - (points[0] + points[1]) / 2
    top = points[2] - rng.uniform(0.1, 0.45) * down
    chin = (points[3] + points[4]) / 2 + rng.uniform(0.45, 0.75) * down
    return np.array([
        top, top + 0.85 * across + 0.1 * down, chin + 0.6 * across - 0.3 * down, chin,
        chin - 0.6 * across - 0.3 * down, top - 0.85 * across + 0.1 * down,
    ])  # fmt: skip


def _cover(plan: Plan, i: int, faces: Floats, rng: np.random.Generator) -> None:
    """Cover part of faces: a cloth over mouth and nose, dark glasses, or a block."""
    for face in faces:
        count = int(plan.covered[i])
        if count == COVERS:
            return
        if face[14] < 1 or rng.random() < 0.35:
            continue
        points = face[4:14].reshape(5, 2)
        across = points[1] - points[0]
        down = (points[3] + points[4]) / 2 - (points[0] + points[1]) / 2
        kind = rng.random()
        if kind < 0.65:
            polygon = mask_outline(points, rng)
        elif kind < 0.85:
            half, tall = 0.32 * across, rng.uniform(0.18, 0.3) * down
            left, right = points[0] - half, points[1] + half
            polygon = _hexagon(left - tall, right - tall, right + tall, left + tall)
        else:
            middle = points[int(rng.integers(5))]
            a, b = across * rng.uniform(0.2, 0.5), down * rng.uniform(0.2, 0.5)
            polygon = _hexagon(middle - a - b, middle + a - b, middle + a + b, middle - a + b)
        plan.covers[i, count] = polygon
        plan.colour[i, count] = rng.uniform(0, 255, 3) if rng.random() < 0.6 else rng.uniform(120, 255)
        plan.covered[i] += 1


def _hexagon(a: Floats, b: Floats, c: Floats, d: Floats) -> Matrix:
    """A quadrangle with two corners more, on its sides."""
    return np.array([a, (a + b) / 2, b, c, (c + d) / 2, d])
