"""Why something was refused or decided: a reason is data (code, sentence, advice), shown as it is or translated.

Exit codes of the shell tool follow from the exception that carries the reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ReasonCode(StrEnum):
    """Every reason the application can give. The value is what JSON output and tests see."""

    # decisions
    VERIFIED = "verified"
    MATCHED = "matched"
    SCORE_BELOW_THRESHOLD = "score_below_threshold"
    UNKNOWN_SUBJECT = "unknown_subject"
    # files
    FILE_NOT_FOUND = "file_not_found"
    FILE_EMPTY = "file_empty"
    FILE_UNREADABLE = "file_unreadable"
    FILE_TOO_LARGE = "file_too_large"
    FILE_TRUNCATED = "file_truncated"
    FORMAT_UNSUPPORTED = "format_unsupported"
    MODALITY_MISMATCH = "modality_mismatch"
    SAMPLE_KNOWN = "sample_known"
    # images
    IMAGE_TOO_LARGE = "image_too_large"
    IMAGE_TOO_SMALL = "image_too_small"
    NO_FACE = "no_face"
    SEVERAL_FACES = "several_faces"
    FACE_TOO_SMALL = "face_too_small"
    FACE_TOO_DARK = "face_too_dark"
    FACE_TOO_BRIGHT = "face_too_bright"
    FACE_BLURRED = "face_blurred"
    FACE_TURNED = "face_turned"
    # audio
    AUDIO_TOO_LONG = "audio_too_long"
    AUDIO_SILENT = "audio_silent"
    AUDIO_CLIPPED = "audio_clipped"
    AUDIO_NOISY = "audio_noisy"
    AUDIO_MUSIC = "audio_music"
    NO_SPEECH = "no_speech"
    SPEECH_TOO_SHORT = "speech_too_short"
    SEVERAL_SPEAKERS = "several_speakers"
    # devices
    CAMERA_UNAVAILABLE = "camera_unavailable"
    MICROPHONE_UNAVAILABLE = "microphone_unavailable"
    # tables
    TABLE_INVALID = "table_invalid"
    TRIALS_ONE_CLASS = "trials_one_class"
    TRIALS_TOO_FEW = "trials_too_few"
    # state
    NO_SUCH_PERSON = "no_such_person"
    PERSON_EXISTS = "person_exists"
    NOT_ENROLLED = "not_enrolled"
    NOBODY_ENROLLED = "nobody_enrolled"
    CONTRACT_MISMATCH = "contract_mismatch"
    NO_CALIBRATION = "no_calibration"
    CALIBRATION_INVALID = "calibration_invalid"
    CALIBRATION_EXPIRED = "calibration_expired"
    TARGET_UNSUPPORTED = "target_unsupported"
    MODEL_MISSING = "model_missing"
    MODEL_CORRUPT = "model_corrupt"
    DATABASE_LOCKED = "database_locked"
    DATABASE_CORRUPT = "database_corrupt"
    DATABASE_TOO_NEW = "database_too_new"
    KEY_UNAVAILABLE = "key_unavailable"
    SETTINGS_INVALID = "settings_invalid"
    STORAGE_FULL = "storage_full"
    JOB_MISMATCH = "job_mismatch"
    VOICE_ALONE_NOT_ENOUGH = "voice_alone_not_enough"
    CANCELLED = "cancelled"
    USAGE = "usage"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason.

    Attributes:
        code: stable name, never translated.
        message: one sentence: what happened, and where.
        advice: one sentence: what to do about it; empty when there is nothing to do.
    """

    code: ReasonCode
    message: str
    advice: str = ""

    def as_dict(self) -> dict[str, str]:
        """The reason, ready for JSON."""
        return {"code": self.code.value, "message": self.message, "advice": self.advice}


class VerifyAppError(Exception):
    """Base of every error the application raises on purpose; carries the reason and an exit code."""

    exit_code = 4

    def __init__(self, code: ReasonCode, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.reason = Reason(code, message, advice)


class UsageError(VerifyAppError):
    """The request itself makes no sense (exit code 2)."""

    exit_code = 2


class UnusableInput(VerifyAppError):
    """A file or capture cannot be used (exit code 3)."""

    exit_code = 3


class StateError(VerifyAppError):
    """The application is not in a state to answer: no such person, no calibration … (exit code 4)."""

    exit_code = 4


class Cancelled(VerifyAppError):
    """The user stopped it (exit code 130)."""

    exit_code = 130

    def __init__(self, message: str = "Cancelled.") -> None:
        super().__init__(ReasonCode.CANCELLED, message)
