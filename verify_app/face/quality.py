"""How usable a face is, measured on the crop and the landmarks, and when to refuse it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from verify_app.domain import ImageArray, Quality
from verify_app.native import opencv
from verify_app.reasons import Reason, ReasonCode

# Below (or above) these a face is refused: at FMR 1e-3 about half of the mated comparisons fail there.
MIN_EYE_DISTANCE = 8.0
MIN_BRIGHTNESS = 0.06
MAX_BRIGHTNESS = 0.95
MIN_CONTRAST = 0.02
MIN_SHARPNESS = 0.03
MAX_YAW = 60.0
MAX_PITCH = 45.0
# Nose tip before the plane of the eyes and mouth, in eye distances, from the alignment template; and where
# the detector sees the nose of an upright head between eyes (0) and mouth (1), the median of 2 700 photographs.
_NOSE_DEPTH = 0.55
_NOSE_HEIGHT = 0.59
_EYES_TO_MOUTH = 1.155


def pose(landmarks: NDArray[np.floating]) -> tuple[float, float, float]:
    """Yaw, pitch and roll in degrees, estimated from five landmarks under weak perspective.

    Positive yaw looks to the right of the picture, positive pitch looks up, positive roll is clockwise.
    Good to some ten degrees: enough for a gate and for advice.
    """
    points = np.asarray(landmarks, np.float64)
    across = points[1] - points[0]
    roll = math.atan2(across[1], across[0])
    turn = np.array([[math.cos(roll), math.sin(roll)], [-math.sin(roll), math.cos(roll)]])
    left_eye, right_eye, nose, left_mouth, right_mouth = points @ turn.T
    eyes, mouth = (left_eye + right_eye) / 2, (left_mouth + right_mouth) / 2
    width = max(right_eye[0] - left_eye[0], 1e-6)
    height = max(mouth[1] - eyes[1], 1e-6)
    middle = eyes[0] + _NOSE_HEIGHT * (mouth[0] - eyes[0])
    yaw = math.atan((nose[0] - middle) / width / _NOSE_DEPTH)
    rise = _NOSE_HEIGHT - (nose[1] - eyes[1]) / height
    pitch = math.atan(rise / (_NOSE_DEPTH / _EYES_TO_MOUTH))
    return math.degrees(yaw), math.degrees(pitch), math.degrees(roll)


def measure(
    crop: ImageArray, landmarks: NDArray[np.floating] | None = None, detector_score: float | None = None
) -> dict[str, float]:
    """The measures of an aligned crop.

    Args:
        crop: uint8 (112, 112, 3), RGB, aligned.
        landmarks: (5, 2) in pixels of the picture; None when the picture came aligned.
        detector_score: 0..1; None when there was no detection.

    Returns:
        ``brightness`` and ``contrast`` (mean and standard deviation of the grey face, 0..1),
        ``sharpness`` (fine detail as a share of contrast, in the direction that has less), and where known
        ``eye_distance`` (pixels), ``yaw``, ``pitch``, ``roll`` (degrees) and ``detector_score``.
    """
    cv2 = opencv()
    grey = cv2.cvtColor(np.ascontiguousarray(crop), cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    face = grey[28:104, 24:88]  # brows to chin, without background
    contrast = float(face.std())
    # Motion smears one direction only, so the worse of the two counts.
    detail = min(float((face - cv2.GaussianBlur(face, size, 1.5)).std()) for size in ((9, 1), (1, 9)))
    measures = {
        "brightness": float(face.mean()),
        "contrast": contrast,
        "sharpness": detail / max(contrast, 0.05),
    }
    if landmarks is not None:
        yaw, pitch, roll = pose(landmarks)
        distance = float(np.linalg.norm(np.asarray(landmarks[1]) - np.asarray(landmarks[0])))
        # Turning the head brings the eyes together without making the face smaller.
        measures["eye_distance"] = distance / max(math.cos(math.radians(min(abs(yaw), 60.0))), 0.5)
        measures |= {"yaw": yaw, "pitch": pitch, "roll": roll}
    if detector_score is not None:
        measures["detector_score"] = detector_score
    return measures


def assess(measures: dict[str, float]) -> Quality:
    """Score 0..1 and the reasons against using the face, from its measures.

    The score is the product of one factor for each measure, each 0..1 and falling with whatever makes
    comparisons fail.
    """
    factors = [
        _ramp(measures["sharpness"], 0.0, 0.18),
        _ramp(measures["brightness"], 0.02, 0.20) * _ramp(1 - measures["brightness"], 0.0, 0.20),
        _ramp(measures["contrast"], 0.01, 0.08),
    ]
    if "eye_distance" in measures:
        factors.append(_ramp(math.log(max(measures["eye_distance"], 1.0)), math.log(5.0), math.log(40.0)))
        factors.append(_ramp(abs(measures["yaw"]), 75.0, 10.0))
        factors.append(_ramp(abs(measures["pitch"]), 50.0, 5.0))
    if "detector_score" in measures:
        factors.append(_ramp(measures["detector_score"], 0.3, 0.85))
    return Quality(float(np.prod(factors)), measures, tuple(_reasons(measures)))


def _ramp(value: float, worst: float, best: float) -> float:
    return min(max((value - worst) / (best - worst), 0.0), 1.0)


def _reasons(measures: dict[str, float]) -> list[Reason]:
    found = []
    if measures.get("eye_distance", math.inf) < MIN_EYE_DISTANCE:
        found.append(
            Reason(
                ReasonCode.FACE_TOO_SMALL,
                f"The face is too small: its eyes are {measures['eye_distance']:.0f} pixels apart.",
                f"Come closer, or use a picture with at least {2 * MIN_EYE_DISTANCE:.0f} pixels between the eyes.",
            )
        )
    if measures["brightness"] < MIN_BRIGHTNESS or measures["contrast"] < MIN_CONTRAST:
        dark = measures["brightness"] < 0.5
        found.append(_too_dark() if dark else _too_bright())
    elif measures["brightness"] > MAX_BRIGHTNESS:
        found.append(_too_bright())
    if measures["sharpness"] < MIN_SHARPNESS:
        found.append(
            Reason(
                ReasonCode.FACE_BLURRED,
                "The face is blurred.",
                "Hold still, clean the lens, and use the original picture instead of a preview.",
            )
        )
    if abs(measures.get("yaw", 0.0)) > MAX_YAW or abs(measures.get("pitch", 0.0)) > MAX_PITCH:
        found.append(Reason(ReasonCode.FACE_TURNED, "The face is turned away.", "Look straight into the camera."))
    return found


def _too_dark() -> Reason:
    return Reason(ReasonCode.FACE_TOO_DARK, "The face is too dark.", "Turn towards the light, or switch one on.")


def _too_bright() -> Reason:
    return Reason(
        ReasonCode.FACE_TOO_BRIGHT, "The face is overexposed.", "Avoid direct light, or turn away from the window."
    )
