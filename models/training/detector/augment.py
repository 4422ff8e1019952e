"""Training pictures: geometry, light, sensor, occlusion. Every draw comes from one generator."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .data import FACE_SCORE, Floats, Photo, Pixels

SMALLEST_FACE = 9.0  # pixels; smaller faces are neither taught nor punished
VISIBLE_POSITIVE = 0.65  # share of the box that must be in the picture to teach it as a face
VISIBLE_IGNORED = 0.2  # below this share the rest of a face is background
MIRRORED = np.array([1, 0, 2, 4, 3])  # landmark order after a left-right flip

Matrix = np.ndarray[tuple[int, int], np.dtype[np.float64]]


@dataclass
class Scene:
    """A training picture: ``clean`` uint8 [S, S, 3] BGR, as the teacher sees it; ``faces`` float32
    [K, 15] as in :class:`Photo`, score 1 for a face to learn and 0 for a region to leave alone."""

    clean: Pixels
    faces: Floats


def compose(photos: Pools, size: int, rng: np.random.Generator) -> Scene:
    """One random training picture of ``size`` x ``size`` pixels."""
    canvas = _ground(size, rng)
    kind = rng.random()
    if kind < 0.55:  # a grid of pictures: most faces per pixel, so most to learn per second
        across = int(rng.integers(2, 4))
        cuts = np.linspace(0, size, across + 1) + np.r_[0, rng.uniform(-0.12, 0.12, across - 1) * size / across, 0]
        x = [round(v) for v in cuts]
        tiles = [(x[i], x[j], x[i + 1], x[j + 1]) for j in range(across) for i in range(across)]
    else:
        tiles = [(0, 0, size, size)]
    faces = []
    for tile in tiles:
        whole = rng.random() < 0.35
        photo = photos.any(rng) if whole else photos.with_face(rng)
        faces.append(_place(canvas, tile, photo, rng, whole))
    return Scene(canvas, np.concatenate(faces))


def disturb(scene: Scene, rng: np.random.Generator) -> Pixels:
    """What a camera makes of the scene: most often with occlusion, light and noise, else the clean picture."""
    if rng.random() < 0.3:
        return scene.clean
    pixels = scene.clean.copy()
    if rng.random() < 0.25:
        _occlude(pixels, scene.faces, rng)
    return photometric(pixels, rng)


@dataclass(frozen=True)
class Pools:
    """What training draws from: photographs, face crops, photographs without a face."""

    photos: list[Photo]
    crops: list[Photo]
    empty: list[Photo]

    def with_face(self, rng: np.random.Generator) -> Photo:
        """Mostly something that has a face."""
        draw = rng.random()
        pool = self.photos if draw < 0.5 else self.crops if draw < 0.95 else self.empty
        return pool[int(rng.integers(len(pool)))]

    def any(self, rng: np.random.Generator) -> Photo:
        """Anything, a face or not."""
        draw = rng.random()
        pool = self.photos if draw < 0.55 else self.crops if draw < 0.65 else self.empty
        return pool[int(rng.integers(len(pool)))]


def _ground(size: int, rng: np.random.Generator) -> Pixels:
    """A plain, graded or noisy ground: black and white are common in real padding."""
    colour = rng.choice([0.0, 255.0, 127.0]) if rng.random() < 0.5 else rng.uniform(0, 255, 3)
    ground = np.broadcast_to(np.asarray(colour, np.float32), (size, size, 3)).copy()
    if rng.random() < 0.3:
        ground += rng.uniform(-60, 60) * np.linspace(-1, 1, size, dtype=np.float32)[:, None, None]
    if rng.random() < 0.2:
        ground += rng.normal(0, rng.uniform(2, 30), ground.shape).astype(np.float32)
    return np.clip(ground, 0, 255).astype(np.uint8)


def _place(
    canvas: Pixels, tile: tuple[int, int, int, int], photo: Photo, rng: np.random.Generator, whole: bool
) -> Floats:
    """Warp ``photo`` into a tile of the canvas; ``whole`` shows the picture, otherwise one face leads.

    Returns its faces in canvas coordinates, as in :class:`Scene`.
    """
    x0, y0, x1, y1 = tile
    source = photo.pixels()
    height, width = source.shape[:2]
    room = min(x1 - x0, y1 - y0)
    if whole:
        scale = room / max(height, width) * np.exp(rng.uniform(np.log(0.6), np.log(1.8)))
        centre = np.array([width, height]) * rng.uniform(0.35, 0.65, 2)
    else:
        certain = photo.certain
        face = certain[int(rng.integers(len(certain)))] if len(certain) else None
        if face is None:
            scale, centre = room / max(height, width), np.array([width, height]) / 2
        else:
            side = float(np.sqrt(face[2] * face[3]))
            largest = min(0.95 * room, 6.0 * side)
            smallest = 14.0 if rng.random() < 0.5 else 0.4 * room
            target = np.exp(rng.uniform(np.log(min(smallest, largest)), np.log(largest)))
            scale = target / side
            spread = max(0.0, room - target) / 2 / scale
            centre = face[:2] + face[2:4] / 2 + rng.uniform(-1, 1, 2) * spread
    roll = np.deg2rad(rng.uniform(-50, 50) if rng.random() < 0.5 else rng.normal(0, 6))
    if scale < 0.5:  # shrink by area first: a bilinear warp alone would alias
        source = cv2.resize(source, None, fx=2 * scale, fy=2 * scale, interpolation=cv2.INTER_AREA)
    pre = source.shape[1] / width
    flip = -1.0 if rng.random() < 0.5 else 1.0
    linear = scale * np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]]) @ np.diag([flip, 1.0])
    middle = np.array([(x1 - x0) / 2, (y1 - y0) / 2])
    matrix = np.concatenate([linear, (middle - linear @ centre)[:, None]], axis=1)
    warp = matrix.copy()
    warp[:, :2] /= pre
    view = np.ascontiguousarray(canvas[y0:y1, x0:x1])
    cv2.warpAffine(
        source, warp, (x1 - x0, y1 - y0), dst=view, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT
    )
    canvas[y0:y1, x0:x1] = view
    faces = transform_faces(photo.faces, matrix, flip < 0)
    cut = photo.source == "crop"  # its box reaches past the crop by nature
    faces[:, 14] = [_role(f, s, (x1 - x0, y1 - y0), cut) for f, s in zip(faces, photo.faces[:, 14], strict=True)]
    faces = faces[faces[:, 14] >= 0]
    faces[:, :14] += np.array([x0, y0, 0, 0] + [x0, y0] * 5, np.float32)
    return faces


def _role(face: Floats, label: float, extent: tuple[int, int], cut: bool) -> float:
    """1 learn, 0 leave alone, -1 drop: by label, size and how much of the box is in view."""
    x, y, w, h = (float(v) for v in face[:4])
    seen_x = max(0.0, min(x + w, extent[0]) - max(x, 0.0))
    seen_y = max(0.0, min(y + h, extent[1]) - max(y, 0.0))
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


def _occlude(pixels: Pixels, faces: Floats, rng: np.random.Generator) -> None:
    """Cover part of each face: a cloth over mouth and nose, dark glasses, or a block."""
    for face in faces:
        if face[14] < 1 or rng.random() < 0.4:
            continue
        points = face[4:14].reshape(5, 2)
        across = points[1] - points[0]
        down = (points[3] + points[4]) / 2 - (points[0] + points[1]) / 2
        colour = tuple(
            float(v) for v in (rng.uniform(0, 255, 3) if rng.random() < 0.6 else rng.uniform(120, 255, 1).repeat(3))
        )
        kind = rng.random()
        if kind < 0.6:
            polygon = mask_outline(points, rng)
        elif kind < 0.8:
            half, tall = 0.32 * across, rng.uniform(0.18, 0.3) * down
            left, right = points[0] - half, points[1] + half
            polygon = np.array([left - tall, right - tall, right + tall, left + tall])
        else:
            middle = points[int(rng.integers(5))]
            a, b = across * rng.uniform(0.2, 0.5), down * rng.uniform(0.2, 0.5)
            polygon = np.array([middle - a - b, middle + a - b, middle + a + b, middle - a + b])
        cv2.fillPoly(pixels, [np.round(polygon).astype(np.int32)], colour, lineType=cv2.LINE_AA)


def photometric(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Light, colour, focus, noise and compression."""
    size = pixels.shape[0]
    x = pixels.astype(np.float32)
    if rng.random() < 0.6:
        x = 255 * (x / 255) ** np.float32(np.exp(rng.normal(0, 0.35)))
        x = (x - 127) * np.float32(np.exp(rng.normal(0, 0.25))) + 127 + np.float32(rng.normal(0, 20))
    if rng.random() < 0.3:
        x *= np.exp(rng.normal(0, 0.12, 3)).astype(np.float32)
    if rng.random() < 0.2:  # light from one side
        axis = np.linspace(-1, 1, size, dtype=np.float32)
        angle = rng.uniform(0, 2 * np.pi)
        ramp = np.cos(angle) * axis[None] + np.sin(angle) * axis[:, None]
        x *= np.exp(np.float32(rng.uniform(0.2, 0.9)) * ramp)[..., None]
    if rng.random() < 0.15:
        x = np.repeat(x @ np.array([[0.114], [0.587], [0.299]], np.float32), 3, axis=2)
    if rng.random() < 0.15:
        x = cv2.GaussianBlur(x, (0, 0), float(rng.uniform(0.5, 2.5)))
    elif rng.random() < 0.06:
        length = int(rng.integers(3, 9))
        x = cv2.blur(x, (length, 1) if rng.random() < 0.5 else (1, length))
    if rng.random() < 0.15:
        x += rng.standard_normal((size, size, 1), np.float32) * np.float32(rng.uniform(3, 20))
    out = np.clip(x, 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        quality = [int(cv2.IMWRITE_JPEG_QUALITY), int(rng.integers(20, 85))]
        out = cv2.imdecode(cv2.imencode(".jpg", out, quality)[1], cv2.IMREAD_COLOR).astype(np.uint8, copy=False)
    return out
