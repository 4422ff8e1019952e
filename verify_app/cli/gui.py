"""``verify-app gui``: open the window."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from verify_app.cli import state
from verify_app.reasons import ReasonCode, StateError

if TYPE_CHECKING:
    from verify_app.services.settings import Settings

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def gui(
    page: Annotated[
        str, typer.Option(metavar="PAGE", help="First page: verify, enrol, people, batch, calibrate or bench.")
    ] = "verify",
) -> None:
    """Open the window. Without a command, verify-app does the same.

    \b
    Example:
      verify-app gui --page calibrate
    """
    open_window(page)


def open_window(page: str = "verify") -> NoReturn:
    """Open the window on a page and stay until it is closed."""
    settings: Settings | None
    try:
        settings = state.settings()
    except StateError:
        settings = None  # the window opens all the same, says what is wrong with the file and offers a way out
    try:
        # By name: the shell tool does not depend on the window.
        run_window = import_module("verify_app.gui.app").run
    except ImportError as error:
        raise StateError(
            ReasonCode.INTERNAL,
            f"The window cannot open: {error}.",
            "“verify-app doctor” names what is missing; every other command works without the window.",
        ) from None
    raise typer.Exit(run_window(settings, page, state.home()))
