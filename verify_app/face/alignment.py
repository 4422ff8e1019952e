"""Bring every face to the same place, size and angle: five landmarks onto a template."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from verify_app.domain import ImageArray
from verify_app.native import opencv

SIDE = 112
# The template of J. Deng et al., ArcFace, CVPR 2019, for crops of 112 × 112 pixels.
TEMPLATE: NDArray[np.float32] = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]], np.float32
)


def similarity_transform(source: NDArray[np.floating], target: NDArray[np.floating]) -> NDArray[np.float64]:
    """The rotation, scale and shift that take ``source`` points closest to ``target`` points.

    Least squares after S. Umeyama, IEEE PAMI 13(4), 1991; mirrored solutions are excluded.

    Args:
        source: (n, 2) points, not all equal.
        target: (n, 2) points.

    Returns:
        (2, 3) matrix ``m`` with ``target ≈ source @ m[:, :2].T + m[:, 2]``.

    Raises:
        ValueError: when all source points coincide.
    """
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    from_centre, to_centre = source - source_mean, target - target_mean
    spread = float((from_centre**2).sum()) / len(source)
    if spread <= 0 or not np.isfinite(spread):
        raise ValueError("the source points coincide")
    left, sizes, right = np.linalg.svd(to_centre.T @ from_centre / len(source))
    signs = np.array([1.0, np.sign(np.linalg.det(left) * np.linalg.det(right)) or 1.0])
    rotation = left @ np.diag(signs) @ right
    scale = float(sizes @ signs) / spread
    linear = scale * rotation
    return np.column_stack([linear, target_mean - linear @ source_mean])


def align(image: ImageArray, landmarks: NDArray[np.float32]) -> ImageArray:
    """The face with these landmarks as an aligned crop.

    Args:
        image: uint8 (height, width, 3).
        landmarks: (5, 2), x and y in the picture, in the order of the template.

    Returns:
        uint8 (112, 112, 3); black where the crop reaches beyond the picture.
    """
    return cut(image, similarity_transform(landmarks, TEMPLATE), SIDE)


def cut(image: ImageArray, matrix: NDArray[np.float64], side: int) -> ImageArray:
    """A square part of a picture, turned and scaled.

    Args:
        image: uint8 (height, width, 3).
        matrix: (2, 3), from the picture to the part.
        side: width and height of the part in pixels.

    Returns:
        uint8 (side, side, 3); black where it reaches beyond the picture.
    """
    cv2 = opencv()
    step = int(1 / np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if step >= 2:
        image, matrix = _shrunk(image, matrix, side, step)
    part = cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return np.asarray(part)


def as_aligned(image: ImageArray) -> ImageArray:
    """A picture that is an aligned face already, brought to 112 × 112."""
    cv2 = opencv()
    if image.shape[:2] == (SIDE, SIDE):
        return np.ascontiguousarray(image)
    method = cv2.INTER_AREA if image.shape[0] > SIDE else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (SIDE, SIDE), interpolation=method))


def _shrunk(
    image: ImageArray, matrix: NDArray[np.float64], side: int, step: int
) -> tuple[ImageArray, NDArray[np.float64]]:
    """What lies under the part in the picture, averaged over ``step`` × ``step`` pixels.

    Linear interpolation alone would look at one pixel in many and let fine patterns turn into noise.
    """
    cv2 = opencv()
    inverse = np.linalg.inv(matrix[:, :2])
    corners = (np.array([[0, 0], [side, 0], [0, side], [side, side]]) - matrix[:, 2]) @ inverse.T
    left, top = np.maximum(np.floor(corners.min(axis=0)).astype(int) - step, 0)
    right, bottom = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + step, (image.shape[1], image.shape[0]))
    across, down = (right - left) // step, (bottom - top) // step
    if across < 1 or down < 1:
        return image, matrix
    part = image[top : top + down * step, left : left + across * step]
    small = cv2.resize(np.ascontiguousarray(part), (int(across), int(down)), interpolation=cv2.INTER_AREA)
    # A small pixel p covers the picture around step * p + (step - 1) / 2 + corner.
    offset = np.array([left, top]) + (step - 1) / 2
    linear = matrix[:, :2]
    return small, np.column_stack([linear * step, matrix[:, 2] + linear @ offset])
