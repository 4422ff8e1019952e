"""``verify-app batch``: whole folders, resumable."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from verify_app.cli import state
from verify_app.domain import Modality
from verify_app.reasons import Cancelled, ReasonCode, UsageError
from verify_app.services.batch.choices import Action, Method

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
        help="Several faces in one image: one (refuse), largest, largest-centred or skip.",
    ),
]
AllFaces = Annotated[
    str,
    typer.Option(
        "--faces",
        metavar="POLICY",
        help="Several faces in one image: one (refuse), largest, largest-centred, skip, or all (a row for each).",
    ),
]
Gates = Annotated[bool, typer.Option("--quality-gates/--no-quality-gates", help="Refuse samples of poor quality.")]
Aligned = Annotated[bool, typer.Option("--aligned", help="Faces already are 112 × 112 aligned crops.")]
Workers = Annotated[int, typer.Option("--workers", min=0, help="Files in work at once; 0 for one per core.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Only look: how many files, which cannot be used, how long it will take.")
]


@app.command("verify")
def verify(
    folder: Folder,
    out: Out,
    claim: Annotated[
        str, typer.Option(metavar="RULE", help="Who each file claims to show: folder, name:REGEX or csv:FILE.")
    ] = "folder",
    modality: Kind = Modality.FACE,
    pattern: Pattern = None,
    faces: Faces = "one",
    quality_gates: Gates = True,
    aligned: Aligned = False,
    workers: Workers = 0,
    target_fmr: state.TargetFmr = None,
    dry_run: DryRun = False,
    json: state.JsonFlag = False,
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
    _run("verify", [folder], locals())


@app.command("identify")
def identify(
    folder: Folder,
    out: Out,
    modality: Kind = Modality.FACE,
    pattern: Pattern = None,
    faces: AllFaces = "one",
    quality_gates: Gates = True,
    aligned: Aligned = False,
    workers: Workers = 0,
    target_fmr: state.TargetFmr = None,
    dry_run: DryRun = False,
    json: state.JsonFlag = False,
) -> None:
    """Who is on each file? Searches everybody enrolled; “unknown” is an answer.

    In the results the column claim holds the person found.
    """
    _run("identify", [folder], locals())


@app.command("pairs")
def pairs(
    table: Annotated[
        Path,
        typer.Argument(metavar="PAIRS.csv", help="A table with the columns reference and probe.", show_default=False),
    ],
    out: Out,
    root: Annotated[Path, typer.Option(metavar="DIR", help="Folder that the names in the table start from.")] = Path(),
    modality: Kind = Modality.FACE,
    faces: Faces = "one",
    quality_gates: Gates = True,
    aligned: Aligned = False,
    workers: Workers = 0,
    target_fmr: state.TargetFmr = None,
    dry_run: DryRun = False,
    json: state.JsonFlag = False,
) -> None:
    """Do the two files of each row show one person? In the results, file is the probe and claim the reference."""
    _run("pairs", [table, root], locals())


@app.command("cross")
def cross(
    first: Annotated[Path, typer.Argument(metavar="A", help="The probes.", show_default=False)],
    second: Annotated[Path, typer.Argument(metavar="B", help="What they are compared with.", show_default=False)],
    out: Out,
    modality: Kind = Modality.FACE,
    pattern: Pattern = None,
    faces: Faces = "one",
    quality_gates: Gates = True,
    aligned: Aligned = False,
    workers: Workers = 0,
    target_fmr: state.TargetFmr = None,
    dry_run: DryRun = False,
    json: state.JsonFlag = False,
) -> None:
    """Which files of A show a person who is also in B? One row for each match, or for the best non-match."""
    _run("cross", [first, second], locals())


@app.command("duplicates")
def duplicates(
    folder: Folder,
    out: Out,
    modality: Kind = Modality.FACE,
    pattern: Pattern = None,
    faces: AllFaces = "one",
    quality_gates: Gates = True,
    aligned: Aligned = False,
    workers: Workers = 0,
    target_fmr: state.TargetFmr = None,
    dry_run: DryRun = False,
    json: state.JsonFlag = False,
) -> None:
    """Which files within a folder show the same person? One row for each pair that matches."""
    _run("duplicates", [folder], locals())


@app.command("group")
def group(
    folder: Folder,
    out: Out,
    claim: Annotated[
        str,
        typer.Option(
            metavar="RULE", help="Known identities, to show how pure the groups are: folder, name:REGEX or csv:FILE."
        ),
    ] = "",
    method: Annotated[
        Method, typer.Option(help="agglomerative (average linkage), or hdbscan (dense groups of any size).")
    ] = Method.AGGLOMERATIVE,
    modality: Kind = Modality.FACE,
    pattern: Pattern = None,
    faces: AllFaces = "one",
    quality_gates: Gates = True,
    aligned: Aligned = False,
    workers: Workers = 0,
    target_fmr: state.TargetFmr = None,
    dry_run: DryRun = False,
    json: state.JsonFlag = False,
) -> None:
    """Sort unknown faces or voices into identities; the results have a column group.

    \b
    Examples:
      verify-app batch group unknown/ --out job/
      verify-app batch group party/ --faces all --method hdbscan --out job/
      verify-app batch group labelled/ --claim folder --out job/
    """
    _run("group", [folder], locals())


@app.command("export")
def export(
    job: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a finished job.", show_default=False)],
    form: Annotated[
        str, typer.Argument(metavar="FORM", help="csv, jsonl, parquet, xlsx, folders or links.", show_default=False)
    ],
    target: Annotated[Path | None, typer.Option("--to", metavar="DIR", help="New folder for folders or links.")] = None,
    json: state.JsonFlag = False,
) -> None:
    """Write the results in another form: a table, or the files themselves sorted by decision or group.

    Tables have what people said in columns of its own; the form csv is written to results-reviewed.csv.
    """
    from verify_app.services.batch import exports

    if form in ("folders", "links"):
        if target is None:
            raise UsageError(ReasonCode.USAGE, "Sorted files need a new folder.", "Give one with --to.")
        count = exports.sort_files(job, tuple(_summary(job)["sources"]), target, link=form == "links")
        state.finish({"folder": str(target), "files": count}, f"{count} files sorted into {target}.")
    path = exports.export(job, form)
    state.finish({"file": str(path)}, f"Written: {path}")


@app.command("adjudicate")
def adjudicate(
    job: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a finished job.", show_default=False)],
    reviewer: Annotated[str, typer.Option(help="Who looks.")] = "",
    file: Annotated[str | None, typer.Option(help="The file the answer is about.")] = None,
    claim: Annotated[str, typer.Option(help="Its claim, as the results name it.")] = "",
    answer: Annotated[str | None, typer.Option(help="same, different or unsure.")] = None,
    json: state.JsonFlag = False,
) -> None:
    """Record what a person says of a row, or list what is open, where reviewers differ, and the error rates seen.

    \b
    Examples:
      verify-app batch adjudicate job/ --reviewer Mia
      verify-app batch adjudicate job/ --reviewer Mia --file a/1.jpg --claim a --answer same
    """
    from verify_app.services.batch import adjudication

    if answer is not None:
        if answer not in set(adjudication.Answer):
            raise UsageError(ReasonCode.USAGE, f"{answer!r} is no answer.", "Use same, different or unsure.")
        adjudication.record(job, (file or "", claim), reviewer, adjudication.Answer(answer))
    payload, text = _adjudication_state(job, reviewer)
    state.finish(payload, text)


@app.command("regroup")
def regroup(
    job: Annotated[
        Path, typer.Argument(metavar="DIR", help="The folder of a finished grouping job.", show_default=False)
    ],
    action: Annotated[Action, typer.Argument(help="What to do.", show_default=False)],
    files: Annotated[list[str] | None, typer.Argument(metavar="FILE…", help="As the results name them.")] = None,
    reviewer: Annotated[str, typer.Option(help="Who says so.")] = "",
    json: state.JsonFlag = False,
) -> None:
    """Put groups right by hand: merge those of some files, split files off into a new one, or undo the last step.

    Corrections stand beside the machine's groups and never overwrite them; exports have them in a column.

    \b
    Examples:
      verify-app batch regroup job/ merge a/1.jpg b/7.jpg --reviewer Mia
      verify-app batch regroup job/ split a/3.jpg a/4.jpg --reviewer Mia
      verify-app batch regroup job/ undo --reviewer Mia
    """
    from verify_app.services.batch.corrections import correct, corrected_groups

    made = correct(job, action, files or [], reviewer)
    groups = corrected_groups(job)
    payload = {"action": made.action.value, "files": list(made.files), "groups": len(set(groups.values()))}
    state.finish(payload, f"{payload['groups']} groups now.")


@app.command("forget")
def forget(json: state.JsonFlag = False) -> None:
    """Erase every cached embedding of batch jobs; results stay, the next job reads its files anew."""
    from verify_app.services.batch.cache import clear_cache
    from verify_app.services.batch.run import cache_path

    path = cache_path(state.application())
    clear_cache(path)
    state.finish({"erased": str(path)}, "The cached embeddings are erased.")


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


def _summary(job: Path) -> dict[str, Any]:
    from json import loads

    from verify_app.services.batch.results import read_results
    from verify_app.services.batch.summary import SUMMARY_NAME

    next(iter(read_results(job)), None)  # says so when there is no finished job
    summary: dict[str, Any] = loads((job / SUMMARY_NAME).read_text(encoding="utf-8"))
    return summary


def _adjudication_state(job: Path, reviewer: str) -> tuple[dict[str, Any], str]:
    from verify_app.cli.words import percent_interval
    from verify_app.services.batch import adjudication

    open_rows = adjudication.queue(job, reviewer) if reviewer else []
    differing = adjudication.disagreements(job)
    estimate = adjudication.estimate(job)
    payload = {
        "open": [{"file": row["file"], "claim": row["claim"], "score": float(row["score"])} for row in open_rows],
        "disagreements": [
            {"file": one.file, "claim": one.claim, "answers": {who: what.value for who, what in one.answers.items()}}
            for one in differing
        ],
        "accepted": estimate.accepted,
        "wrong_accepts": estimate.wrong_accepts,
        "false_accept_share": estimate.false_accept_share.as_dict() if estimate.false_accept_share else None,
        "refused": estimate.refused,
        "wrong_refusals": estimate.wrong_refusals,
        "false_refusal_share": estimate.false_refusal_share.as_dict() if estimate.false_refusal_share else None,
    }
    lines = [f"  {row['file']}  {row['claim']}  {row['score']} ({row['threshold']})" for row in open_rows[:20]]
    lines.insert(0, f"{len(open_rows)} rows to look at." if reviewer else "Give --reviewer to list the open rows.")
    lines += [f"Reviewers differ on {one.file} {one.claim}." for one in differing]
    lines.append(f"Of the adjudicated rows, wrongly accepted: {percent_interval(estimate.false_accept_share)};")
    lines.append(f"wrongly refused: {percent_interval(estimate.false_refusal_share)}.")
    return payload, "\n".join(lines)


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
