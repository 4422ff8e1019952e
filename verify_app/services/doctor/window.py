"""Whether the window can open: tried in a process of its own, because Qt ends a process it cannot serve."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

from verify_app.services.application import Application
from verify_app.services.doctor.findings import Finding, Health

LONGEST = 30
"""Seconds a window may take to open."""

TRY = """
import json, sys
from verify_app.reasons import VerifyAppError
try:
    from verify_app.gui.app import make_application
    make_application()
except VerifyAppError as error:
    print(json.dumps(error.reason.as_dict()))
    sys.exit(4)
except ImportError as error:
    print(json.dumps({"message": str(error), "advice": "pip install --force-reinstall pyside6"}))
    sys.exit(4)
"""

MISSING = """
import ctypes, json
from verify_app.gui.libraries import PACKAGES
missing = {}
for library, package in PACKAGES.items():
    try:
        ctypes.CDLL(library)
    except OSError:
        missing[library] = package
print(json.dumps(missing))
"""


def window(app: Application) -> Iterator[Finding]:
    """A window that cannot open limits the application: everything works from the shell."""
    tried = _python(TRY)
    if tried.returncode == 0:
        yield Finding("window", Health.WORKS, "can be opened")
        return
    try:
        reason = json.loads(tried.stdout)
    except ValueError:
        said = tried.stderr.strip().splitlines()
        reason = {"message": said[-1] if said else f"Qt ended with code {tried.returncode}.", "advice": ""}
    missing = _missing_packages()
    remedy = f"apt install {' '.join(missing)}" if missing else reason["advice"]
    yield Finding("window", Health.LIMITED, reason["message"], remedy)


def _missing_packages() -> list[str]:
    """The Debian packages whose libraries Qt may need and this machine lacks."""
    if not sys.platform.startswith("linux"):
        return []
    try:
        return sorted(set(json.loads(_python(MISSING).stdout).values()))
    except ValueError:
        return []


def _python(code: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    try:
        return subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=LONGEST, env=environment, check=False
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess([], 1, "", f"Qt gave no answer within {LONGEST} seconds.")
