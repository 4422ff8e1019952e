"""How usable a face is, measured on the crop and the landmarks, and when to refuse it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from verify_app.domain import ImageArray, Quality
from verify_app.face.alignment import SIDE, TEMPLATE, similarity_transform
from verify_app.native import opencv
from verify_app.quality_model import quality_model
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
        ``sharpness`` (fine detail as a share of contrast, in the direction that has less), ``symmetry``
        (correlation of the blurred crop with its mirror image, -1..1: falls when the head turns, the light comes
        from one side or something covers half of the face), and where known ``eye_distance`` (pixels), ``yaw``,
        ``pitch``, ``roll`` (degrees), ``misfit`` (mean distance of the landmarks from those of an upright frontal
        face, pixels of the crop) and ``detector_score``.
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
        "symmetry": _symmetry(cv2.GaussianBlur(grey, (0, 0), 3)[20:108, 16:96]),
    }
    if landmarks is not None:
        yaw, pitch, roll = pose(landmarks)
        distance = float(np.linalg.norm(np.asarray(landmarks[1]) - np.asarray(landmarks[0])))
        # Turning the head brings the eyes together without making the face smaller.
        measures["eye_distance"] = distance / max(math.cos(math.radians(min(abs(yaw), 60.0))), 0.5)
        measures |= {"yaw": yaw, "pitch": pitch, "roll": roll, "misfit": _misfit(landmarks)}
    if detector_score is not None:
        measures["detector_score"] = detector_score
    return measures


def assess(measures: dict[str, float]) -> Quality:
    """Score 0..1 and the reasons against using the face, from its measures.

    The score is that of the fitted model in ``quality.json`` (:mod:`verify_app.quality_model`).
    """
    return Quality(
        quality_model("verify_app.face").score(model_measures(measures)), measures, tuple(_reasons(measures))
    )


def model_measures(measures: dict[str, float]) -> dict[str, float]:
    """The measures as the model takes them: each is only good or only bad to have more of."""
    brightness = measures["brightness"]
    same = ("sharpness", "contrast", "symmetry", "misfit")
    taken: dict[str, float] = {name: measures[name] for name in same if name in measures}
    taken |= {"light": min(brightness, 0.5), "glare": max(brightness, 0.5)}
    if "eye_distance" in measures:
        taken["log_eye_distance"] = math.log(max(measures["eye_distance"], 1.0))
    return taken | {f"turned_{way}": abs(measures[way]) for way in ("yaw", "pitch") if way in measures}


def _symmetry(blurred: NDArray[np.float32]) -> float:
    """Correlation with the mirror image; 0 for a flat picture."""
    deviation = blurred - blurred.mean()
    power = float((deviation**2).sum())
    return float((deviation * deviation[:, ::-1]).sum()) / power if power > 1e-6 * blurred.size else 0.0


def _misfit(landmarks: NDArray[np.floating]) -> float:
    try:
        matrix = similarity_transform(landmarks, TEMPLATE)
    except ValueError:  # all in one place
        return float(SIDE)
    placed = np.asarray(landmarks, np.float64) @ matrix[:, :2].T + matrix[:, 2]
    return float(np.linalg.norm(placed - TEMPLATE, axis=1).mean())


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
