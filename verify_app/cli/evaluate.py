"""``verify-app evaluate``: error rates on a table of trials."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from verify_app.cli import state, words
from verify_app.cli.options import FacesPolicy, ModalityName, chosen_modality, chosen_policy
from verify_app.cli.progress import shown_progress
from verify_app.reasons import ReasonCode, UsageError

if TYPE_CHECKING:
    from verify_app.evaluation.report import Summary
    from verify_app.services.evaluate import Evaluation

app = typer.Typer(add_completion=False, rich_markup_mode=None)
EXAMPLES_PER_REASON = 3
DISCARDED = (0.0, 0.05, 0.1, 0.2)
"""Shares of the mated trials set aside for their quality."""


@app.command()
def evaluate(
    trials: Annotated[
        str | None, typer.Argument(metavar="[TRIALS.csv]", help="The table of trials.", show_default=False)
    ] = None,
    embeddings: Annotated[
        str | None,
        typer.Option(metavar="X.npz", help="Instead: all pairs of labelled vectors from anywhere (NPZ or Parquet)."),
    ] = None,
    similarity: Annotated[
        str, typer.Option(metavar="NAME", help="How --embeddings are compared, as in verify-app calibrate.")
    ] = "cosine",
    root: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Folder that the paths start from; default the folder of the table."),
    ] = None,
    modality: ModalityName = None,
    aligned: Annotated[
        bool, typer.Option("--aligned", help="The faces are 112 × 112 template-aligned crops already.")
    ] = False,
    faces: FacesPolicy = "largest-centred",
    quality_gates: Annotated[
        bool, typer.Option("--quality-gates", help="Refuse samples of low quality, as enrolment does.")
    ] = False,
    cache: Annotated[
        bool, typer.Option("--cache", help="Use and keep embeddings, encrypted, as batch jobs do (batch forget).")
    ] = False,
    scores: Annotated[
        str | None, typer.Option(metavar="OUT.csv", help="Write the table again with the score of each trial.")
    ] = None,
    json: state.JsonFlag = False,
) -> None:
    """Measure the error rates of an encoder on a table of trials.

    The table is CSV in UTF-8 with the columns reference, probe, mated (1 or 0), and perhaps fold, group,
    reference_subject and probe_subject. Several references are separated by “;” and combined into one. Each file
    is embedded once; embeddings stay in memory, unless --cache is given. A trial with a file that cannot be used
    is a failure to acquire: it is counted, and left out of the error rates.

    Reported, each with its 95 % interval: failures to acquire, EER, FNMR at FMR 1e-2, 1e-3 and 1e-4, AUC,
    accuracy over the folds when there are any, and the same by group. Also how FNMR falls as the mated trials of
    lowest quality are set aside (ISO/IEC 29794-1): the worth of the quality score.

    \b
    Examples:
      verify-app evaluate pairs.csv --root photos/
      verify-app evaluate calls.csv --root calls/ --modality voice --scores scores.csv
      verify-app evaluate pairs.csv --aligned --json | jq .eer
      verify-app evaluate --embeddings genes.npz

    \b
    Exit codes: 0 done, 3 the table or every file cannot be used.
    """
    if (trials is None) == (embeddings is None):
        raise UsageError(
            ReasonCode.USAGE, "Give either a table of trials or --embeddings.", "See verify-app evaluate --help."
        )
    if embeddings is not None:
        _evaluate_vectors(embeddings, similarity)
    from verify_app.services.evaluate import EvaluateOptions
    from verify_app.services.evaluate import evaluate as evaluate_table

    assert trials is not None  # noqa: S101  checked above
    options = EvaluateOptions(
        chosen_modality(modality), Path(root) if root else None, aligned, chosen_policy(faces), quality_gates, cache
    )
    with shown_progress("embedding") as progress:
        result = evaluate_table(state.application(), trials, options, progress=progress, scores_file=scores)
    if result.summary is None and result.unsummarised is not None:
        state.finish(_payload(result), f"{_head(result)}\n  {result.unsummarised.message}", 3)
    state.finish(_payload(result), _text(result))


def _evaluate_vectors(file: str, similarity: str) -> NoReturn:
    """All pairs of labelled vectors: the figures, and the end of the run."""
    from verify_app.evaluation.report import summarise
    from verify_app.services.calibrate import from_vector_file

    found = from_vector_file(file, similarity)
    summary = summarise(found.trials)
    payload = {
        "modality": found.modality,
        "contract": found.contract_id,
        "similarity": found.similarity,
        "vectors": len(found.samples),
        **summary.as_dict(),
    }
    head = (
        f"{words.grouped(len(found.samples))} vectors of {words.grouped(summary.subjects or 0)} subjects: "
        f"{words.grouped(summary.mated)} mated and {words.grouped(summary.non_mated)} non-mated pairs; "
        "95 % intervals in brackets"
    )
    state.finish(payload, f"{head}\n{words.table(_figures(summary))}")


def _payload(result: Evaluation) -> dict[str, Any]:
    failed_trials = int((~result.scored).sum())
    payload: dict[str, Any] = {
        "modality": result.modality.value,
        "contract": result.contract_id,
        "similarity": "cosine",
        "trials": {"total": len(result.scores), "scored": len(result.scores) - failed_trials},
        "failures_to_acquire": {
            "files": result.files,
            "failed_files": len(result.failures),
            "rate": result.failure_rate.as_dict(),
            "failed_trials": failed_trials,
            "reasons": {
                code: {"files": len(files), "examples": files[:EXAMPLES_PER_REASON]}
                for code, files in result.failures_by_reason().items()
            },
        },
        "reason": result.unsummarised.as_dict() if result.unsummarised else None,
    }
    if result.summary is not None:
        figures = result.summary.as_dict()
        payload["trials"] |= figures.pop("trials")
        payload |= figures
        payload["error_versus_discard"] = _discard(result)
        payload["groups"] = {
            name: {"mated": mated, "non_mated": non_mated, **(summary.as_dict() if summary else {})}
            for name, (mated, non_mated, summary) in result.groups.items()
        }
    return payload


def _discard(result: Evaluation) -> dict[str, Any] | None:
    curve = result.discard
    if curve is None:
        return None
    return {
        "target_fmr": result.discard_fmr,
        "threshold": curve.threshold,
        "discarded": list(DISCARDED),
        "fnmr": curve.fnmr(DISCARDED).tolist(),
        "efficacy": curve.efficacy(),
    }


def _head(result: Evaluation) -> str:
    mated = sum(trial.mated for trial in result.table.trials)
    total = len(result.scores)
    lines = [
        f"{words.grouped(total)} trials ({words.grouped(mated)} mated, {words.grouped(total - mated)} non-mated) "
        f"over {words.grouped(result.files)} {result.modality} files; 95 % intervals in brackets",
        f"  failures to acquire  {words.count(len(result.failures), 'file')}, "
        f"{words.percent_interval(result.failure_rate)}; "
        f"{words.count(int((~result.scored).sum()), 'trial')} without a score",
    ]
    for code, files in result.failures_by_reason().items():
        more = f" and {len(files) - EXAMPLES_PER_REASON} more" if len(files) > EXAMPLES_PER_REASON else ""
        lines.append(f"    {code}: {', '.join(files[:EXAMPLES_PER_REASON])}{more}")
    return "\n".join(lines)


def _text(result: Evaluation) -> str:
    lines = [_head(result)]
    if result.summary is not None:
        lines.append(words.table(_figures(result.summary)))
    if found := _discard(result):
        shares = [f"{fnmr:.2%} without {share:.0%}" for share, fnmr in zip(DISCARDED, found["fnmr"], strict=True)]
        lines += [
            f"FNMR at FMR {result.discard_fmr:g} as the mated trials of lowest quality are set aside: "
            f"{', '.join(shares)} (efficacy {found['efficacy']:.2f}; 0 is chance, 1 the best possible)"
        ]
    if result.groups:
        rows = [
            (
                name,
                str(mated),
                str(non_mated),
                words.percent_interval(summary.eer) if summary else "too few trials",
                words.percent_interval(summary.operating_points[1].fnmr) if summary else "",
            )
            for name, (mated, non_mated, summary) in result.groups.items()
        ]
        lines += ["", words.table(rows, ("group", "mated", "non-mated", "EER", "FNMR at FMR 0.001"))]
    return "\n".join(lines)


def _figures(summary: Summary) -> list[tuple[str, str, str]]:
    rows = [("EER", words.percent_interval(summary.eer), "")]
    for point in summary.operating_points:
        needed = words.grouped(point.needed_non_mated)
        doubt = "" if point.supported else f"too few to show this FMR: {needed} more non-mated trials needed"
        rows.append((f"FNMR at FMR {point.target_fmr:g}", words.percent_interval(point.fnmr), doubt))
    rows.append(("AUC", f"{summary.auc.value:.5f} ({summary.auc.low:.5f}–{summary.auc.high:.5f})", ""))
    if summary.accuracy is not None:
        rows.append(("accuracy over the folds", words.percent_interval(summary.accuracy), ""))
    return rows
