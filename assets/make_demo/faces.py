"""Faces of people who do not exist: aligned blends of many photographs, then re-shaped.

A blend of a dozen faces keeps what they share and loses what is one person's own. Each
source is warped so that its landmarks, then (by dense optical flow) its features, fall on
the mean of the set; the mean is re-shaped by deformations that belong to the new person.
Samples of one person differ in the weights of the blend, expression, pose, light, ground
and camera.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator

from .sources import MARGIN, TEMPLATE, Floats, Pixels, Sources

SCALE = 2  # blend pixels per crop pixel
SIDE = 128 * SCALE
FARTHEST = 6.0  # blend pixels that optical flow may move a feature; more is a mistake, not a face
CANVAS = 320  # side of a finished portrait, in pixels

# Named points of the template in blend pixels, on which deformations act.
_EYES, _NOSE, _MOUTH = (TEMPLATE[:2] + MARGIN) * SCALE, (TEMPLATE[2] + MARGIN) * SCALE, (TEMPLATE[3:] + MARGIN) * SCALE
_CENTRE = np.array([_NOSE[0], _NOSE[1]])
_BORDER = np.array(
    [[x, y] for x in (0, 64, 128, 192, 255) for y in (0, 64, 128, 192, 255) if x in (0, 255) or y in (0, 255)]
)


@dataclass(frozen=True)
class Shape:
    """Deformations in blend pixels; 0 leaves the feature where the blend has it."""

    eyes_apart: float = 0.0
    eyes_up: float = 0.0
    brows_up: float = 0.0
    nose_down: float = 0.0
    nose_wide: float = 0.0
    mouth_wide: float = 0.0
    mouth_down: float = 0.0
    smile: float = 0.0
    jaw_wide: float = 0.0
    chin_down: float = 0.0
    eye_size: float = 0.0

    def plus(self, other: Shape) -> Shape:
        """Both deformations, one after the other to first order."""
        return Shape(**{k: v + getattr(other, k) for k, v in vars(self).items()})


@dataclass(frozen=True)
class Look:
    """What changes between two photographs of one person."""

    shape: Shape = field(default_factory=Shape)
    yaw: float = 0.0  # degrees, as a flat card turns
    roll: float = 0.0
    light: tuple[float, float] = (0.0, 0.0)  # horizontal and vertical ramp, in stops
    exposure: float = 0.0  # stops
    warmth: float = 0.0
    ground: tuple[int, int, int] = (200, 205, 210)
    size: float = 1.0
    blur: float = 0.0
    noise: float = 2.0


def aligned(sources: Sources) -> list[Floats]:
    """The sources, their features brought onto those of their mean: float32 [256, 256, 3] RGB each."""
    target = sources.landmarks.mean(0) * SCALE
    pairs = zip(sources.pixels, sources.landmarks, strict=True)
    images = [_to_landmarks(crop, points * SCALE, target) for crop, points in pairs]
    images = _same_tone(images)
    for _ in range(3):
        mean = np.mean(images, axis=0).astype(np.float32)
        images = [_to_reference(image, mean) for image in images]
    return images


def mix(images: list[Floats], weights: Floats) -> Floats:
    """Weighted mean of aligned images, its lost crispness restored."""
    mean = np.average(images, axis=0, weights=weights).astype(np.float32)
    soft = cv2.GaussianBlur(mean, (0, 0), 2.2)
    wide = cv2.GaussianBlur(mean, (0, 0), 6.0)
    return np.clip(mean + 0.8 * (mean - soft) + 0.25 * (mean - wide), 0, 255).astype(np.float32)


def _to_landmarks(crop: Pixels, here: Floats, there: Floats) -> Floats:
    big = cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    return _warp(big, np.concatenate([there, _BORDER]), np.concatenate([here, _BORDER]))


def _warp(image: Floats, at: NDArray[np.floating], comes_from: NDArray[np.floating]) -> Floats:
    """Thin-plate warp: what is at ``comes_from`` moves to ``at``."""
    step = 8
    axis = np.arange(0, SIDE + step, step)
    grid = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    moved = RBFInterpolator(at, comes_from - at, kernel="thin_plate_spline")(grid)
    coarse = moved.reshape(len(axis), len(axis), 2).astype(np.float32)
    full = cv2.resize(coarse, (len(axis) * step, len(axis) * step), interpolation=cv2.INTER_LINEAR)
    # cv2.resize aligns pixel centres; the half-cell shift brings node (0, 0) back to pixel 0.
    shift = step // 2
    dense = full[shift : shift + SIDE, shift : shift + SIDE]
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    return cv2.remap(image, x + dense[..., 0], y + dense[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def _face_mask(softness: float = 1.0) -> Floats:
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    r = np.sqrt(((x - 128) / 72) ** 2 + ((y - 140) / 96) ** 2)
    return np.clip((1.15 - r) / (0.3 * softness), 0, 1).astype(np.float32)


def _same_tone(images: list[Floats]) -> list[Floats]:
    """Bring colour and contrast inside the face to the mean of the set."""
    inside = _face_mask() > 0.5
    labs = [cv2.cvtColor(np.clip(i, 0, 255).astype(np.float32) / 255, cv2.COLOR_RGB2LAB) for i in images]
    means = np.array([lab[inside].mean(0) for lab in labs])
    spreads = np.array([lab[inside].std(0) for lab in labs])
    out = []
    for lab, mean, spread in zip(labs, means, spreads, strict=True):
        lab = (lab - mean) * (spreads.mean(0) / spread) + means.mean(0)
        out.append(np.clip(cv2.cvtColor(lab.astype(np.float32), cv2.COLOR_LAB2RGB) * 255, 0, 255).astype(np.float32))
    return out


def _to_reference(image: Floats, reference: Floats) -> Floats:
    flow_engine = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow_engine.setUseSpatialPropagation(True)
    grey = [cv2.cvtColor(np.clip(i, 0, 255).astype(np.uint8), cv2.COLOR_RGB2GRAY) for i in (reference, image)]
    flow = cv2.GaussianBlur(flow_engine.calc(grey[0], grey[1], None), (0, 0), 10)
    length = np.linalg.norm(flow, axis=2, keepdims=True)
    flow *= np.minimum(1, FARTHEST / np.maximum(length, 1e-3)) * _face_mask(2.0)[..., None]
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    return cv2.remap(image, x + flow[..., 0], y + flow[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def reshape(face: Floats, shape: Shape) -> Floats:
    """Deform a blend."""
    left, right = _EYES
    half_mouth = (_MOUTH[1, 0] - _MOUTH[0, 0]) / 2
    mouth = _MOUTH.mean(0)
    at, move = [], []

    def pull(x: float, y: float, dx: float, dy: float) -> None:
        at.append((x, y))
        move.append((dx, dy))

    for eye, side in ((left, -1), (right, 1)):
        dx, dy, s = side * shape.eyes_apart / 2, -shape.eyes_up, shape.eye_size
        pull(eye[0] - 14, eye[1], dx - s, dy)
        pull(eye[0] + 14, eye[1], dx + s, dy)
        pull(eye[0], eye[1] - 7, dx, dy - s * 0.6)
        pull(eye[0], eye[1] + 7, dx, dy + s * 0.6)
        pull(eye[0], eye[1] - 24, dx, dy - shape.brows_up)
        pull(_NOSE[0] + side * 15, _NOSE[1] + 6, side * shape.nose_wide, shape.nose_down)
        pull(mouth[0] + side * half_mouth, mouth[1], side * shape.mouth_wide, shape.mouth_down - shape.smile)
        pull(mouth[0] + side * 58, mouth[1] - 6, side * shape.jaw_wide, 0)
        pull(mouth[0] + side * 40, mouth[1] + 28, side * shape.jaw_wide * 0.8, shape.chin_down * 0.6)
    pull(_NOSE[0], _NOSE[1] + 8, 0, shape.nose_down)
    pull(mouth[0], mouth[1] - 9, 0, shape.mouth_down + 0.2 * shape.smile)
    pull(mouth[0], mouth[1] + 11, 0, shape.mouth_down + 0.3 * shape.smile)
    pull(mouth[0], mouth[1] + 40, 0, shape.chin_down)
    points, moves = np.array(at), np.array(move)
    return _warp(face, np.concatenate([points + moves, _BORDER]), np.concatenate([points, _BORDER]))


def portrait(face: Floats, look: Look, hair: Hair, rng: np.random.Generator) -> Pixels:
    """A finished photograph uint8 [320, 320, 3] RGB of a re-shaped blend, on painted hair and shoulders."""
    face = reshape(face, look.shape)
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    middle, tall = (hair.face_top + 234) / 2, (234 - hair.face_top) / 2
    r = (np.abs((x - 128) / hair.face_half) ** 2.3 + np.abs((y - middle) / tall) ** 2.3) ** (1 / 2.3)
    mask = np.clip((1.0 - r) / 0.14, 0, 1)
    mask = mask * mask * (3 - 2 * mask)
    matrix = _placement(look)
    to_canvas = {"M": matrix, "dsize": (CANVAS, CANVAS), "flags": cv2.INTER_LINEAR}
    over = cv2.warpPerspective(face, borderMode=cv2.BORDER_REPLICATE, **to_canvas)
    alpha = cv2.warpPerspective(mask, borderMode=cv2.BORDER_CONSTANT, **to_canvas)[..., None]
    skin = face[175:215, 75:100].mean((0, 1))
    figure = _figure(_ground(look, rng), look, hair, skin)
    picture = _lit(over * alpha + figure * (1 - alpha), look)
    if look.blur:
        picture = cv2.GaussianBlur(picture, (0, 0), look.blur)
    picture = picture + rng.normal(0, look.noise, (CANVAS, CANVAS, 1))
    return np.clip(picture, 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Hair:
    """What is painted around the face: colour RGB, ``long`` (below the ears or not), how far
    the face reaches in the blend (half width and topmost row, pixels), the garment's colour."""

    colour: tuple[int, int, int]
    long: bool
    face_half: float
    face_top: float
    garment: tuple[int, int, int]


def _figure(ground: Floats, look: Look, hair: Hair, skin: Floats) -> Floats:
    """Hair, neck and shoulders, out of focus behind the face."""
    figure = np.ascontiguousarray(ground)
    middle = CANVAS // 2

    def oval(x: float, y: float, wide: float, tall: float, colour: tuple[float, ...]) -> None:
        size = (round(wide * look.size), round(tall * look.size))
        at = (round(middle + (x - 160) * look.size), round(middle + (y - 160) * look.size))
        cv2.ellipse(figure, at, size, look.roll, 0, 360, colour, -1, cv2.LINE_AA)

    tone = tuple(float(v) for v in hair.colour)
    if hair.long:
        oval(160, 190, 108, 135, tone)
    oval(160, 152, 96, 122, tone)
    figure = cv2.GaussianBlur(figure, (0, 0), 4)
    oval(160, 372, 150, 88, tuple(float(v) for v in hair.garment))
    oval(160, 262, 52, 62, tuple(float(v) * 0.78 for v in skin))
    figure = cv2.GaussianBlur(figure, (0, 0), 3)
    grain = np.random.default_rng(5).normal(0, 6, (CANVAS, CANVAS, 1)).astype(np.float32)
    return figure + cv2.GaussianBlur(grain, (0, 0), 1.0)[..., None] * 2


def _ground(look: Look, rng: np.random.Generator) -> Floats:
    ramp = np.linspace(8, -8, CANVAS, dtype=np.float32)[:, None, None]
    ground = np.broadcast_to(np.array(look.ground, np.float32), (CANVAS, CANVAS, 3)) + ramp
    cloud = cv2.resize(rng.normal(0, 5, (5, 5)).astype(np.float32), (CANVAS, CANVAS), interpolation=cv2.INTER_CUBIC)
    return (ground + cloud[..., None]).astype(np.float32)


def _placement(look: Look) -> NDArray[np.float64]:
    """Blend to canvas: the face turns like a card seen from three sides away, rolls, and is centred."""
    yaw, roll = np.deg2rad(look.yaw), np.deg2rad(look.roll)
    corners = np.array([[0, 0], [SIDE, 0], [SIDE, SIDE], [0, SIDE]], np.float32)
    flat = (corners - SIDE / 2) * look.size
    depth = 3.0 * SIDE
    scale = depth / (depth + flat[:, :1] * np.sin(yaw))
    turned = np.concatenate([flat[:, :1] * np.cos(yaw) * scale, flat[:, 1:] * scale], axis=1)
    rotate = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    placed = (turned @ rotate.T + [CANVAS / 2, CANVAS / 2 + 6]).astype(np.float32)
    return cv2.getPerspectiveTransform(corners, placed)


def _lit(face: Floats, look: Look) -> Floats:
    axis = np.linspace(-1, 1, CANVAS, dtype=np.float32)
    stops = look.exposure + look.light[0] * axis[None, :] + look.light[1] * axis[:, None]
    tint = np.array([1 + look.warmth, 1.0, 1 - look.warmth], np.float32)
    return 255 * np.clip(face / 255, 1e-3, None) ** np.float32(1.0) * (2.0**stops)[..., None] * tint
