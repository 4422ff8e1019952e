"""``verify-app batch``, what comes after the run: exports, people who look at rows, groups put right, forgetting."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from verify_app.cli import state
from verify_app.reasons import ReasonCode, UsageError
from verify_app.services.batch.choices import Action

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command("export")
def export(
    job: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a finished job.", show_default=False)],
    form: Annotated[
        str,
        typer.Argument(metavar="FORM", help="csv, jsonl, parquet, xlsx, rttm, folders or links.", show_default=False),
    ],
    target: Annotated[Path | None, typer.Option("--to", metavar="DIR", help="New folder for folders or links.")] = None,
    json: state.JsonFlag = False,
) -> None:
    """Write the results in another form: a table, or the files themselves sorted by decision or group.

    Tables have what people said in columns of its own; the form csv is written to results-reviewed.csv. The form
    rttm tells who spoke when, after a job with --segments.
    """
    from verify_app.services.batch import exports
    from verify_app.services.batch.table import read_summary

    if form in ("folders", "links"):
        if target is None:
            raise UsageError(ReasonCode.USAGE, "Sorted files need a new folder.", "Give one with --to.")
        count = exports.sort_files(job, tuple(read_summary(job)["sources"]), target, link=form == "links")
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
