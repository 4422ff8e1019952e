"""Settings: defaults, then ``settings.toml`` in the configuration folder, then ``VERIFY_APP_…`` variables.

A plain dataclass checked by hand: reading settings costs no import, and a wrong value is reported with the
file, the key and what would be right.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from verify_app.reasons import ReasonCode, StateError, UsageError

FILE_NAME = "settings.toml"
ENVIRONMENT_PREFIX = "VERIFY_APP_"


@dataclass(frozen=True, slots=True)
class Settings:
    """What a user can set, and where things are kept.

    Attributes:
        data: folder of the database and the log.
        config: folder of ``settings.toml`` and, where there is no keyring, of the key file.
        passphrase: opens a database that a passphrase protects; from the environment alone, never written.
        target_fmr: false-match rate of the operating point that decides, between 0 and 1.
        database: location of the store: empty for ``enrolment.db`` in the data folder.
        threads: threads of an encoder, 0 for the number of cores.
        face_encoder: name of the face encoder in the manifest, empty for the one it has as default.
        voice_encoder: the same for voices.
        camera: number of the camera the window uses.
        microphone: name of the microphone the window uses, empty for the default one.
        language: language of the window, empty for the one of the desktop.
        theme: ``system``, ``light`` or ``dark``.
    """

    data: Path
    config: Path
    passphrase: str | None = field(default=None, repr=False)
    target_fmr: float = 1e-3
    database: str = ""
    threads: int = 0
    face_encoder: str = ""
    voice_encoder: str = ""
    camera: int = 0
    microphone: str = ""
    language: str = ""
    theme: str = "system"

    @property
    def file(self) -> Path:
        """The settings file, which need not exist."""
        return self.config / FILE_NAME

    @property
    def log_file(self) -> Path:
        """Where diagnostics go."""
        return self.data / "verify-app.log"

    @property
    def database_location(self) -> str:
        """Where the store is."""
        return self.database or str(self.data / "enrolment.db")

    def with_changes(self, **changes: Any) -> Settings:
        """A copy with some values changed; raises :class:`UsageError` for a value that is not allowed."""
        for key, value in changes.items():
            if problem := _problem(key, value):
                raise UsageError(ReasonCode.USAGE, f"{key.replace('_', ' ')}: {problem}.")
        return replace(self, **changes)

    def save(self) -> None:
        """Write what differs from the defaults to ``settings.toml``, in one step."""
        import tomli_w

        defaults = Settings(self.data, self.config)
        changed = {key: getattr(self, key) for key in _RULES if getattr(self, key) != getattr(defaults, key)}
        self.config.mkdir(parents=True, exist_ok=True)
        temporary = self.file.with_suffix(".tmp")
        temporary.write_text(tomli_w.dumps(changed), encoding="utf-8")
        temporary.replace(self.file)


def load_settings(home: str | Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings.

    Args:
        home: one folder for data and configuration; default ``VERIFY_APP_HOME``, else the platform's folders.
        environment: variables to read, default those of the process.

    Raises:
        StateError: SETTINGS_INVALID, naming file, key and remedy.
    """
    variables = os.environ if environment is None else environment
    data, config = _folders(home or variables.get("VERIFY_APP_HOME") or None)
    file = config / FILE_NAME
    values = _from_file(file)
    values.update(_from_environment(variables))
    return Settings(data, config, variables.get("VERIFY_APP_PASSPHRASE") or None, **values)


def default_settings(home: str | Path | None = None) -> Settings:
    """The defaults in the folders of this user; reads no file, and of the environment only the place and passphrase."""
    data, config = _folders(home or os.environ.get("VERIFY_APP_HOME") or None)
    return Settings(data, config, os.environ.get("VERIFY_APP_PASSPHRASE") or None)


def _folders(home: str | Path | None) -> tuple[Path, Path]:
    if home is not None:
        root = Path(home).expanduser().resolve()
        return root / "data", root / "config"
    from platformdirs import PlatformDirs

    folders = PlatformDirs("verify-app", appauthor=False)
    return Path(folders.user_data_dir), Path(folders.user_config_dir)


def _from_file(file: Path) -> dict[str, Any]:
    try:
        text = file.read_bytes().decode("utf-8")
        values = tomllib.loads(text)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _invalid(file, f"it cannot be read ({error.strerror})") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _invalid(file, f"it is not valid TOML ({error})") from None
    for key, value in values.items():
        if key not in _RULES:
            near = difflib.get_close_matches(key, _RULES, 1)
            hint = f"did you mean “{near[0]}”" if near else f"known are {', '.join(_RULES)}"
            raise _invalid(file, f"the key “{key}” is unknown ({hint})")
        if problem := _problem(key, value):
            raise _invalid(file, f"“{key}” {problem}")
    return {key: _RULES[key][0](value) for key, value in values.items()}


def _from_environment(variables: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, (convert, _, _) in _RULES.items():
        name = ENVIRONMENT_PREFIX + key.upper()
        text = variables.get(name)
        if not text:
            continue
        try:
            value = convert(text)
        except ValueError:
            value = text
        if problem := _problem(key, value):
            raise StateError(
                ReasonCode.SETTINGS_INVALID,
                f"The variable {name} {problem}.",
                f"Correct it, or unset {name}.",
            )
        values[key] = value
    return values


def _invalid(file: Path, what: str) -> StateError:
    return StateError(
        ReasonCode.SETTINGS_INVALID,
        f"The settings file {file} cannot be used: {what}.",
        "Correct it, or delete the file to return to the defaults.",
    )


_RULES: dict[str, tuple[type, Callable[[Any], bool], str]] = {
    "target_fmr": (float, lambda v: 0 < v < 1, "must be a number between 0 and 1, for example 0.001"),
    "database": (str, lambda v: True, "must be a path in quotes"),
    "threads": (int, lambda v: 0 <= v <= 1024, "must be a whole number, 0 for the number of cores"),
    "face_encoder": (str, lambda v: True, "must be the name of a face encoder in quotes"),
    "voice_encoder": (str, lambda v: True, "must be the name of a voice encoder in quotes"),
    "camera": (int, lambda v: 0 <= v <= 99, "must be the number of a camera, 0 for the first"),
    "microphone": (str, lambda v: True, "must be the name of a microphone in quotes"),
    "language": (str, lambda v: len(v) <= 10, "must be a language code in quotes, for example “en”"),
    "theme": (str, lambda v: v in ("system", "light", "dark"), "must be “system”, “light” or “dark”"),
}
"""For each key: the type to convert to, the test of a value, and what the value must be."""


def _problem(key: str, value: Any) -> str | None:
    """What is wrong with a value, or None."""
    if key not in _RULES:
        return "is not a setting"
    kind, allowed, requirement = _RULES[key]
    kinds: tuple[type, ...] = (int, float) if kind is float else (kind,)
    if isinstance(value, bool) or not isinstance(value, kinds) or not allowed(value):
        return f"{requirement} (it is {value!r})"
    return None
