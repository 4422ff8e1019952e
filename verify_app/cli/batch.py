"""``verify-app batch``: whole folders, resumable."""

from __future__ import annotations

import inspect
import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from verify_app.cli import batch_review, state
from verify_app.domain import Modality
from verify_app.reasons import Cancelled
from verify_app.services.batch.choices import Method

if TYPE_CHECKING:
    from verify_app.services.batch.spec import JobSpec
    from verify_app.services.jobs import CancelledCheck

app = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def batch() -> None:
    """Verify, search, compare or group whole folders of images or recordings.

    Each job has a folder (--out) that holds results.csv, summary.json, report.html and the job's journal. A
    job that was stopped or killed goes on where it was when the same command is given again; with another
    --target-fmr the finished job is scored again without reading a file.

    \b
    Examples:
      verify-app batch verify photos/ --claim folder --modality face --out job/
      verify-app batch identify visitors/ --modality face --out job/
      verify-app batch group unknown/ --modality voice --out job/
    """


Folder = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="A folder, a zip archive, or one file.", show_default=False)
]
Out = Annotated[
    Path, typer.Option("--out", metavar="DIR", help="Where the results and the journal go.", show_default=False)
]
Kind = Annotated[Modality, typer.Option("--modality", help="What the files show.")]
Pattern = Annotated[
    list[str] | None, typer.Option("--pattern", metavar="GLOB", help="Only files whose name matches; may be repeated.")
]
Faces = Annotated[
    str,
    typer.Option(
        "--faces",
        metavar="POLICY",
        help="Several faces in one image or video: one (refuse), largest, largest-centred, skip, or all (a row each).",
    ),
]
Segments = Annotated[
    bool, typer.Option("--segments", help="Recordings of any length: a row for each stretch of speech.")
]
Gates = Annotated[bool, typer.Option("--quality-gates/--no-quality-gates", help="Refuse samples of poor quality.")]
Aligned = Annotated[bool, typer.Option("--aligned", help="Faces already are 112 × 112 aligned crops.")]
Workers = Annotated[int, typer.Option("--workers", min=0, help="Files in work at once; 0 for one per core.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Only look: how many files, which cannot be used, how long it will take.")
]


def _every_job(
    out: Out,
    modality: Kind = Modality.FACE,
    pattern: Pattern = None,
    faces: Faces = "one",
    segments: Segments = False,
    quality_gates: Gates = True,
    aligned: Aligned = False,
    workers: Workers = 0,
    target_fmr: state.TargetFmr = None,
    dry_run: DryRun = False,
    json: state.JsonFlag = False,
) -> None:
    """The options that every job has."""


def _job(*sources: str, without: tuple[str, ...] = ()) -> Callable[[Callable[..., None]], None]:
    """Make a command of a function that names a job's own arguments; it gets the options of every job beside them.

    Args:
        sources: the arguments that name what the job reads, in order.
        without: options of every job that make no sense for this one.
    """

    def register(own: Callable[..., None]) -> None:
        declared = [inspect.signature(each, eval_str=True).parameters for each in (own, _every_job)]
        chosen = {**declared[0], **{name: one for name, one in declared[1].items() if name not in without}}

        def command(**options: Any) -> None:
            _run(own.__name__, [options[name] for name in sources], options)

        command.__doc__ = own.__doc__
        command.__annotations__ = {name: one.annotation for name, one in chosen.items()}
        parameters = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in chosen.values()]
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        app.command(own.__name__)(command)

    return register


@_job("folder")
def verify(
    folder: Folder,
    claim: Annotated[
        str, typer.Option(metavar="RULE", help="Who each file claims to show: folder, name:REGEX or csv:FILE.")
    ] = "folder",
) -> None:
    """Is each file of the person it claims to be?

    The claim comes from the name of the file's folder, from a regular expression on the file name (its first
    group, or all of it), or from a table with the columns file and claim.

    \b
    Examples:
      verify-app batch verify photos/ --claim folder --out job/
      verify-app batch verify photos/ --claim "name:^([^_]+)_" --out job/
      verify-app batch verify photos/ --claim csv:claims.csv --out job/ --target-fmr 0.0001
    """


@_job("folder")
def identify(folder: Folder) -> None:
    """Who is on each file? Searches everybody enrolled; “unknown” is an answer.

    In the results the column claim holds the person found.
    """


@_job("table", "root", without=("pattern", "segments"))
def pairs(
    table: Annotated[
        Path,
        typer.Argument(metavar="PAIRS.csv", help="A table with the columns reference and probe.", show_default=False),
    ],
    root: Annotated[Path, typer.Option(metavar="DIR", help="Folder that the names in the table start from.")] = Path(),
) -> None:
    """Do the two files of each row show one person? In the results, file is the probe and claim the reference."""


@_job("first", "second")
def cross(
    first: Annotated[Path, typer.Argument(metavar="A", help="The probes.", show_default=False)],
    second: Annotated[Path, typer.Argument(metavar="B", help="What they are compared with.", show_default=False)],
) -> None:
    """Which files of A show a person who is also in B? One row for each match, or for the best non-match."""


@_job("folder")
def duplicates(folder: Folder) -> None:
    """Which files within a folder show the same person? One row for each pair that matches."""


@_job("folder")
def group(
    folder: Folder,
    claim: Annotated[
        str,
        typer.Option(
            metavar="RULE", help="Known identities, to show how pure the groups are: folder, name:REGEX or csv:FILE."
        ),
    ] = "",
    method: Annotated[
        Method, typer.Option(help="agglomerative (average linkage), or hdbscan (dense groups of any size).")
    ] = Method.AGGLOMERATIVE,
) -> None:
    """Sort unknown faces or voices into identities; the results have a column group.

    \b
    Examples:
      verify-app batch group unknown/ --out job/
      verify-app batch group party/ --faces all --method hdbscan --out job/
      verify-app batch group meeting.wav --modality voice --segments --out job/
      verify-app batch group labelled/ --claim folder --out job/
    """


def _run(kind: str, sources: list[Path], options: dict[str, Any]) -> None:
    from verify_app.cli.progress import shown_progress
    from verify_app.services.batch.run import run_batch
    from verify_app.services.batch.spec import JobKind, JobSpec

    target = state.check_target(options["target_fmr"])
    spec = JobSpec.of(
        JobKind(kind),
        options["modality"],
        sources,
        claim=options.get("claim", ""),
        patterns=tuple(options.get("pattern") or ()),
        faces=options["faces"],
        gates=options["quality_gates"],
        aligned=options["aligned"],
        segments=options.get("segments", False),
    )
    if options["dry_run"]:
        _look(spec)
    command = f"verify-app {shlex.join(sys.argv[1:])}" if len(sys.argv) > 1 else ""
    with _interruptible() as cancelled, _left_at_once(), shown_progress(kind) as progress:
        result = run_batch(
            state.application(),
            spec,
            options["out"],
            target_fmr=target,
            method=options.get("method", Method.AGGLOMERATIVE),
            workers=options["workers"],
            command=command,
            progress=progress,
            cancelled=cancelled,
        )
    summary = result.summary
    counts = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in summary["decisions"].items())
    purity = summary["purity"]
    pure = "" if purity is None else f"; purity against the claims {purity:.3f}"
    groups = "" if summary["groups"] is None else f"{summary['groups']} groups{pure}."
    lines = [f"{counts or 'no rows'}.", groups, summary["warning"], f"Results: {result.folder}"]
    state.finish({"out": str(result.folder), **summary}, "\n".join(filter(None, lines)), summary["exit_code"])


def _look(spec: JobSpec) -> None:
    from verify_app.services.batch.validate import look

    found = look(state.application(), spec)
    state.finish(found.as_dict(), found.text())


@contextmanager
def _left_at_once() -> Iterator[None]:
    """A cancelled job ends the process without waiting for the file that a worker is just reading.

    Everything that was done is on disk by then, and Python would otherwise wait for the worker's thread.
    """
    try:
        yield
    except Cancelled as error:
        code = state.fail(error.reason, error.exit_code)
        state.close()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


@contextmanager
def _interruptible() -> Iterator[CancelledCheck]:
    """Ctrl-C asks the job to stop between two files, so that what is done is kept; a second one stops at once."""
    stop = threading.Event()

    def ask(number: int, frame: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    former = signal.signal(signal.SIGINT, ask)
    terminated = signal.signal(signal.SIGTERM, ask)
    try:
        yield stop.is_set
    finally:
        signal.signal(signal.SIGINT, former)
        signal.signal(signal.SIGTERM, terminated)


app.registered_commands += batch_review.app.registered_commands
