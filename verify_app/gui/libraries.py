"""System libraries that Qt needs on Linux: which one is missing, and the package that brings it."""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
import sys
from pathlib import Path

from verify_app.reasons import ReasonCode, StateError

PACKAGES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libGLX.so.0": "libglx0",
    "libOpenGL.so.0": "libopengl0",
    "libX11.so.6": "libx11-6",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libSM.so.6": "libsm6",
    "libICE.so.6": "libice6",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libpulse.so.0": "libpulse0",
    "libxcb.so.1": "libxcb1",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-glx.so.0": "libxcb-glx0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render.so.0": "libxcb-render0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-shm.so.0": "libxcb-shm0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-util.so.1": "libxcb-util1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}
"""Library name to Debian package (Debian 12, Ubuntu 22.04 and later)."""

_MISSING = re.compile(r"(lib[\w.+-]+\.so[.\d]*): cannot open shared object file")
_NOT_FOUND = re.compile(r"(lib[\w.+-]+\.so[.\d]*) => not found")


def missing_library(message: str) -> StateError | None:
    """The error to raise when a loader's message says that a library is missing; None when it says something else."""
    found = _MISSING.findall(message)
    return _error(found) if found else None


def _error(libraries: list[str]) -> StateError:
    named = ", ".join(libraries)
    packages = [PACKAGES.get(library) for library in libraries]
    if all(packages):
        advice = f"Install on Debian or Ubuntu: sudo apt install {' '.join(str(package) for package in packages)}."
    else:
        advice = f"Install the packages that contain {named}."
    what = "a system library that is" if len(libraries) == 1 else "system libraries that are"
    return StateError(ReasonCode.INTERNAL, f"The window needs {what} missing: {named}.", advice)


def missing_from(file: Path) -> list[str]:
    """Every library that a shared object needs and that is not there, as ``ldd`` tells; empty without ``ldd``."""
    try:
        told = subprocess.run(["ldd", str(file)], capture_output=True, text=True, timeout=20, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return []
    return list(dict.fromkeys(_NOT_FOUND.findall(told)))


def check_platform() -> None:
    """Make sure that Qt can open a window here; without this Qt ends the process instead of raising.

    Raises:
        StateError: there is no display, or a library of the X11 plugin is missing.
    """
    if not sys.platform.startswith("linux") or os.environ.get("QT_QPA_PLATFORM", "xcb").split(":")[0] != "xcb":
        return
    if os.environ.get("QT_QPA_PLATFORM") is None and os.environ.get("WAYLAND_DISPLAY"):
        return
    if not os.environ.get("DISPLAY"):
        raise StateError(
            ReasonCode.INTERNAL,
            "There is no display to open a window on.",
            "Start it from a desktop session; every other command works without one (verify-app --help).",
        )
    import PySide6

    plugin = Path(PySide6.__file__).parent / "Qt" / "plugins" / "platforms" / "libqxcb.so"
    if plugin.exists():
        try:
            ctypes.CDLL(str(plugin))
        except OSError as error:
            every = missing_from(plugin)
            known = _error(every) if every else missing_library(str(error))
            if known is not None:
                raise known from None
