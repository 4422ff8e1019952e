"""The shell tool's entry: which commands there are, global options, and what every error becomes.

Commands live in modules of their own, imported when they run, so that ``--help`` costs nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from verify_app.cli import state
from verify_app.reasons import Cancelled, Reason, ReasonCode, VerifyAppError

COMMANDS: dict[str, str] = {
    "gui": "Open the window (what happens without a command).",
    "demo": "Show everything on bundled people who do not exist; writes an HTML report.",
    "enroll": "Enrol a person from images, recordings or videos.",
    "verify": "Verify that a sample is of the person claimed.",
    "compare": "Compare two files, one to one, with nobody enrolled.",
    "identify": "Search everybody enrolled; “unknown” is an answer.",
    "embed": "Write the embeddings of files to an NPZ file.",
    "evaluate": "Measure error rates on a table of trials.",
    "calibrate": "Fit a calibration to your own trials or folders.",
    "bench": "Compare similarities, normalisations and dimensions on the same data.",
    "batch": "Verify, search, compare or group whole folders; goes on where it stopped.",
    "people": "List, show, rename, remove or export the people enrolled.",
    "models": "List, show or check the encoders.",
    "doctor": "Say what works on this machine, what does not, and how to mend it.",
}

EPILOG = """\
\b
Examples:
  verify-app demo
  verify-app compare a.jpg b.jpg
  verify-app enroll "Ada" ada-1.jpg ada-2.jpg ada-speaks.wav
  verify-app verify --as "Ada" probe.jpg probe.wav

\b
Exit codes:
  0 verified, matched or done   1 not verified or unknown
  2 the request makes no sense  3 a file cannot be used
  4 no such person, no calibration, database locked … (state)
  130 cancelled                 70 an error of the program itself
"""


class LazyGroup(TyperGroup):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of the commands, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name, imported now; None when there is none."""
        if cmd_name not in self.list_commands(ctx):
            return None
        command = typer.main.get_command(import_module(f"verify_app.cli.{cmd_name}").app)
        command.name = cmd_name
        return command

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """As usual, but a mistyped command is answered with its neighbours."""
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(name, self.list_commands(ctx))
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            ctx.fail(f"There is no command “{name}”.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The list of commands, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name]) for name in self.list_commands(ctx)])


app = typer.Typer(
    cls=LazyGroup,
    add_completion=False,
    rich_markup_mode=None,
    invoke_without_command=True,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


@app.callback()
def options(
    context: typer.Context,
    home: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Keep the database and the settings in this folder (or set VERIFY_APP_HOME)."),
    ] = None,
    debug: Annotated[bool, typer.Option(help="Show diagnostics, and tracebacks of program errors.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Show the version and stop.")] = False,
) -> None:
    """Verify who someone is from a face image or a voice clip, offline, with the false-match rate a score predicts."""
    if version:
        from verify_app import __version__

        print(f"verify-app {__version__}")
        raise typer.Exit
    state.start(home, debug)
    if context.invoked_subcommand is None:
        import_module("verify_app.cli.gui").open_window()


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the tool and leave with its exit code."""
    code = run(list(sys.argv[1:] if arguments is None else arguments))
    # Everything is closed and written by now; taking the libraries down piece by piece would only cost time.
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


def run(arguments: list[str]) -> int:
    """Run the tool; returns the exit code. Nothing but the exit code and the two streams comes out."""
    arguments = _global_options_first(arguments)
    state.reset(json="--json" in _before_dashes(arguments))
    try:
        code = app(arguments, prog_name="verify-app", standalone_mode=False)
        if code == Cancelled.exit_code:
            return state.fail(Cancelled().reason, code)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except VerifyAppError as error:
        return state.fail(error.reason, error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        return state.fail(Cancelled().reason, Cancelled.exit_code)
    except BrokenPipeError:
        # Whoever read the output has seen enough; nothing more can be said to them.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 - the last resort: a program error is told in one sentence
        return _unforeseen(error)
    finally:
        state.close()


def _unforeseen(error: Exception) -> int:
    message = getattr(error, "format_message", None)
    if message is not None:  # the parser's own complaint
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "verify-app"
        return state.fail(Reason(ReasonCode.USAGE, message(), f"See {command} --help."), 2)
    if state.debugging():
        from traceback import print_exception

        print_exception(error)
        return 70
    return state.unforeseen(error)


_FLAGS, _VALUED = ("--debug",), ("--home",)


def _before_dashes(arguments: list[str]) -> list[str]:
    return arguments[: arguments.index("--")] if "--" in arguments else arguments


def _global_options_first(arguments: list[str]) -> list[str]:
    """Global options are understood wherever they stand: move them to the front."""
    front: list[str] = []
    rest: list[str] = []
    position = 0
    options = _before_dashes(arguments)
    while position < len(options):
        word = options[position]
        if word in _FLAGS or word.startswith(tuple(f"{name}=" for name in _VALUED)):
            front.append(word)
        elif word in _VALUED and position + 1 < len(options):
            front += options[position : position + 2]
            position += 1
        else:
            rest.append(word)
        position += 1
    return front + rest + arguments[len(options) :]
