"""One finding per part of the machine; every check is made for real and none may stop the others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from verify_app.reasons import Reason, VerifyAppError
from verify_app.services.application import Application

log = logging.getLogger(__name__)


class Health(StrEnum):
    """How a part is."""

    WORKS = "works"
    LIMITED = "limited"
    FAILS = "fails"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about one part.

    Attributes:
        part: its name.
        health: how it is. LIMITED means that the main job can be done without it.
        detail: what was found, one line.
        remedy: how to mend it; empty when there is nothing to mend.
    """

    part: str
    health: Health
    detail: str
    remedy: str = ""

    def as_dict(self) -> dict[str, str]:
        """The finding, ready for JSON."""
        return {"part": self.part, "health": self.health.value, "detail": self.detail, "remedy": self.remedy}


Check = Callable[[Application], Iterable[Finding]]


def examine_machine(app: Application, settings_problem: Reason | None = None) -> list[Finding]:
    """Make every check.

    Args:
        app: the application, with default settings when the settings file cannot be used.
        settings_problem: why the settings file cannot be used.
    """
    from verify_app.services.doctor import data, devices, software, sound_formats, window

    checks: tuple[tuple[str, Check], ...] = (
        ("Python", software.python),
        ("packages", software.packages),
        ("settings", lambda app: data.settings(app, settings_problem)),
        ("data folder", data.folder),
        ("key", data.key),
        ("enrolment database", data.store),
        ("models", data.models),
        ("calibrations", data.calibrations),
        ("recordings", sound_formats.recordings),
        ("window", window.window),
        ("camera", devices.camera),
        ("microphone", devices.microphone),
    )
    return [finding for part, check in checks for finding in _made(part, check, app)]


def _made(part: str, check: Check, app: Application) -> list[Finding]:
    try:
        return list(check(app))
    except VerifyAppError as error:
        return [Finding(part, Health.FAILS, error.reason.message, error.reason.advice)]
    except Exception as error:
        log.exception("The check of %s broke", part)
        return [Finding(part, Health.FAILS, f"The check broke: {type(error).__name__}: {error}", "See the log.")]
