"""What one run of the tool carries: the application it opened, how it speaks, and how it ends."""

from __future__ import annotations

import io
import json
import logging
import math
import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from verify_app.reasons import Reason, ReasonCode

if TYPE_CHECKING:
    from verify_app.services.application import Application
    from verify_app.services.settings import Settings

log = logging.getLogger(__name__)

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
TargetFmr = Annotated[
    float | None,
    typer.Option(
        metavar="RATE",
        help="False-match rate of the operating point, for example 0.001 for 1 in 1 000 (the default, unless set).",
        show_default=False,
    ),
]


@dataclass
class _Run:
    json: bool = False
    debug: bool = False
    home: str | None = None
    settings: Settings | None = None
    application: Application | None = None


_run = _Run()


def reset(*, json: bool) -> None:
    """Begin a run."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A file name that is no text, or a console without our quotation marks, must not end the run.
            stream.reconfigure(errors="backslashreplace")
    global _run
    _run = _Run(json=json)


def start(home: str | None, debug: bool) -> None:
    """Take the global options."""
    _run.home, _run.debug = home, debug
    if not debug:
        # Warnings of libraries are for developers.
        warnings.simplefilter("ignore")


def home() -> str | None:
    """The folder given with ``--home``."""
    return _run.home


def debugging() -> bool:
    """Whether the user wants to see diagnostics."""
    return _run.debug


def speaks_json() -> bool:
    """Whether standard output is for a program."""
    return _run.json


def settings() -> Settings:
    """The settings of this run; from here on there is a log."""
    if _run.settings is None:
        from verify_app.services.logs import start_logging
        from verify_app.services.settings import load_settings

        _run.settings = load_settings(_run.home)
        start_logging(_run.settings, _run.debug)
    return _run.settings


def default_settings() -> Settings:
    """Settings as they would be without a settings file and without variables, in the folders of this run."""
    from verify_app.services.settings import default_settings as defaults

    return defaults(_run.home)


def application() -> Application:
    """The application of this run, made at first use."""
    if _run.application is None:
        from verify_app.services.application import Application

        _run.application = Application(settings(), ask_passphrase=_ask_passphrase(), warn=warn)
    return _run.application


def check_target(value: float | None) -> float | None:
    """The target false-match rate when it makes sense, else a usage error."""
    if value is not None and not 0 < value < 1:
        from verify_app.reasons import UsageError

        raise UsageError(
            ReasonCode.USAGE,
            f"--target-fmr is a rate between 0 and 1, not {value:g}.",
            "Give for example --target-fmr 0.001 for 1 in 1 000.",
        )
    return value


def finish(payload: Mapping[str, Any], text: str, exit_code: int = 0) -> NoReturn:
    """Print the result, as text or as JSON, and end the run with an exit code."""
    if _run.json:
        print(json.dumps(_finite({**payload, "exit_code": exit_code}), ensure_ascii=False, allow_nan=False, indent=2))
    elif text:
        print(text)
    raise typer.Exit(exit_code)


def fail(reason: Reason, exit_code: int) -> int:
    """Say why there is no result; returns the exit code."""
    if _run.json:
        print(json.dumps({"reason": reason.as_dict(), "exit_code": exit_code}, ensure_ascii=False, indent=2))
        return exit_code
    code = f" [{reason.code.value}]" if exit_code in (3, 4) else ""
    _say(f"verify-app: {reason.message}{code}")
    if reason.advice:
        _say(f"  {reason.advice}")
    return exit_code


def unforeseen(error: Exception) -> int:
    """An error of the program itself: one sentence, the traceback goes to the log; returns the exit code 70."""
    where = "Run it again with --debug to see the details."
    try:
        file = settings().log_file
        log.error("Unforeseen error", exc_info=error)
        where = f"The details are in {file}; --debug shows them here."
    except Exception as second:  # noqa: BLE001 - no log is no reason to hide the first error
        _say(str(second))
    return fail(
        Reason(ReasonCode.INTERNAL, f"Something went wrong that should not ({type(error).__name__}).", where), 70
    )


def warn(sentence: str) -> None:
    """Tell the user something that matters but stops nothing."""
    _say(f"verify-app: note: {sentence}")


def close() -> None:
    """Close what the run opened."""
    if _run.application is not None:
        _run.application.close()
        _run.application = None


def _finite(value: Any) -> Any:
    """The value with null for every number that JSON cannot write: a threshold that no score reaches is infinite."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def _ask_passphrase() -> Any:
    """Asks on the terminal; None where there is none."""
    if not sys.stdin or not sys.stdin.isatty() or not sys.stderr.isatty():
        return None

    def ask() -> str:
        from getpass import getpass

        return getpass("Passphrase of the enrolment database: ", stream=sys.stderr)

    return ask


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
