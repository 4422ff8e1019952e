"""Camera and microphone: the main job works from files without them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

from verify_app.reasons import UnusableInput
from verify_app.services.application import Application
from verify_app.services.doctor.findings import Finding, Health


def camera(app: Application) -> Iterator[Finding]:
    """Whether there is a camera and this account may use it; none is switched on."""
    from verify_app.capture.camera import list_cameras

    found = list_cameras()
    if not found:
        yield Finding("camera", Health.LIMITED, "there is none; images can be given as files", "Connect a camera.")
        return
    names = ", ".join(device.name for device in found)
    closed = [device for device in found if not _may_use(device.index)]
    if closed:
        yield Finding("camera", Health.LIMITED, f"{names}: this account may not use it", "sudo usermod -aG video $USER")
    else:
        yield Finding("camera", Health.WORKS, names)


def microphone(app: Application) -> Iterator[Finding]:
    """Whether there is a microphone; nothing is recorded."""
    from verify_app.capture.microphone import list_microphones

    try:
        found = list_microphones()
    except UnusableInput as error:
        yield Finding("microphone", Health.LIMITED, error.reason.message, error.reason.advice)
        return
    if found:
        yield Finding("microphone", Health.WORKS, ", ".join(device.name for device in found))
    else:
        detail = "there is none; recordings can be given as files"
        yield Finding("microphone", Health.LIMITED, detail, "Connect a microphone.")


def _may_use(index: int) -> bool:
    return not sys.platform.startswith("linux") or os.access(f"/dev/video{index}", os.R_OK | os.W_OK)
