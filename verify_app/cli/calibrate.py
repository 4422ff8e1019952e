"""``verify-app calibrate``: fit a calibration, and manage those that are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from verify_app.cli import calibration_text, state, words
from verify_app.cli.options import chosen_modality
from verify_app.cli.progress import shown_progress
from verify_app.domain import Modality
from verify_app.reasons import ReasonCode, UsageError

if TYPE_CHECKING:
    from verify_app.evaluation.cost import Costs
    from verify_app.services.trial_sets import TrialSet

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
Which = Annotated[
    str, typer.Argument(metavar="NAME", help="Name or id; “calibrate list” shows them.", show_default=False)
]


@app.callback()
def calibrate(
    context: typer.Context,
    scores: Annotated[
        str | None, typer.Option(metavar="S.csv", help="Scored trials: score,mated[,reference_subject,probe_subject].")
    ] = None,
    folder: Annotated[str | None, typer.Option(metavar="DIR", help="A folder with one folder per person.")] = None,
    people: Annotated[bool, typer.Option("--people", help="The samples of the people enrolled.")] = False,
    trials: Annotated[
        str | None, typer.Option(metavar="T.csv", help="Trials of files, as “verify-app evaluate” takes them.")
    ] = None,
    embeddings: Annotated[
        str | None, typer.Option(metavar="X.npz", help="Vectors from anywhere, with subjects (NPZ or Parquet).")
    ] = None,
    shipped: Annotated[
        bool, typer.Option("--shipped", help="The general set that comes with the encoder, counted in bins.")
    ] = False,
    references: Annotated[
        int, typer.Option(metavar="N", help="For --shipped: references behind each score, 1 or 3.")
    ] = 1,
    general: Annotated[
        bool, typer.Option("--general", help="Go back to the calibrations shipped with the encoders.")
    ] = False,
    modality: Annotated[
        str | None,
        typer.Option(
            metavar="face|voice",
            help="What the files show; for --scores, whose encoder made them; for --people, face by default.",
            show_default=False,
        ),
    ] = None,
    similarity: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="How embeddings are compared: cosine, euclidean, mahalanobis, lda, plda, kernel, as-norm, local, "
            "pca-D or truncated-D (D dimensions). All but the first two are fitted to some people and calibrated on "
            "the others, and are saved with the calibration.",
        ),
    ] = "cosine",
    target_fmr: Annotated[
        float | None,
        typer.Option(
            metavar="RATE",
            help="False-match rate of the operating point; 0.001 when neither it nor a cost is given.",
            show_default=False,
        ),
    ] = None,
    cost_false_match: Annotated[
        float | None,
        typer.Option(metavar="X", help="Cost of accepting somebody else; 1 unless given.", show_default=False),
    ] = None,
    cost_false_non_match: Annotated[
        float | None,
        typer.Option(metavar="Y", help="Cost of refusing the right person; 1 unless given.", show_default=False),
    ] = None,
    prior: Annotated[
        float | None,
        typer.Option(
            metavar="P",
            help="Share of claims that are true; 0.01 unless given. With a cost or a prior the operating point is "
            "where errors cost least (Bayes), unless --target-fmr is given too.",
            show_default=False,
        ),
    ] = None,
    method: Annotated[
        str, typer.Option(metavar="METHOD", help="auto, logistic, isotonic or tail; auto takes the best of them.")
    ] = "auto",
    name: Annotated[str | None, typer.Option(metavar="NAME", help="What to call it.", show_default=False)] = None,
    valid_days: Annotated[int, typer.Option(metavar="DAYS", help="Days until it expires; 0 for never.")] = 365,
    root: Annotated[
        str | None, typer.Option(metavar="DIR", help="Folder that the paths in --trials start from.")
    ] = None,
    aligned: Annotated[
        bool, typer.Option("--aligned", help="The faces in --folder are 112 × 112 aligned crops already.")
    ] = False,
    exclude: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE=REASON", help="Leave a file of --folder out; the reason is recorded. Repeatable."),
    ] = None,
    save_anyway: Annotated[
        bool, typer.Option("--save-anyway", help="Save it although the data cannot show the target; it is marked so.")
    ] = False,
    use: Annotated[bool, typer.Option("--use/--no-use", help="Decide by it from now on.")] = True,
    json: state.JsonFlag = False,
) -> None:
    """Fit a calibration: what a score means, and the threshold of a false-match rate.

    Give one source. Figures come with 95 % intervals that respect how comparisons share people. When the data are
    too few to claim the target, nothing is saved, and it is said how many more comparisons are needed.

    \b
    Examples:
      verify-app calibrate --people
      verify-app calibrate --folder photos/ --target-fmr 1e-4
      verify-app calibrate --scores scores.csv --json
      verify-app calibrate --people --similarity plda
      verify-app calibrate --people --cost-false-match 100 --prior 0.9
      verify-app calibrate list
      verify-app calibrate use "face 2026-05-01"
      verify-app calibrate export "face 2026-05-01" --out face.json

    \b
    Exit codes: 0 saved, 3 the input cannot be used, 4 the target cannot be claimed (nothing is saved).
    """
    if context.invoked_subcommand is not None:
        return
    if references < 1:
        raise UsageError(ReasonCode.USAGE, "--references is a whole number of at least 1.")
    given = {"--scores": scores, "--folder": folder, "--people": people, "--trials": trials}
    given |= {"--embeddings": embeddings, "--shipped": shipped, "--general": general}
    chosen = [option for option, value in given.items() if value]
    if len(chosen) != 1:
        what = "Give one source" if not chosen else f"Give only one of {' and '.join(chosen)}"
        raise UsageError(ReasonCode.USAGE, f"{what}: {', '.join(given)}.", "See verify-app calibrate --help.")
    state.check_target(target_fmr)
    if general:
        _back_to_general(chosen_modality(modality))
    costs = _costs(prior, cost_false_non_match, cost_false_match)
    from verify_app.cli.operating_points import points_table
    from verify_app.evaluation.live import LiveRates
    from verify_app.services.calibrate import CalibrateOptions
    from verify_app.services.calibrate import calibrate as run
    from verify_app.services.operating_points import cost_figures, operating_points

    with shown_progress("embedding") as progress:
        taken = _Source(scores, folder, trials, embeddings, references if shipped else 0, root, aligned, progress)
        source = _load(taken, chosen_modality(modality), similarity, exclude or [])
    least_cost = costs if target_fmr is None else None
    options = CalibrateOptions(target_fmr or 1e-3, method, name, valid_days or None, save_anyway, use, least_cost)
    result = run(state.application(), source, options)
    live = LiveRates(source.trials)
    payload = calibration_text.payload(result, source)
    payload["operating_points"] = [point.as_dict() for point in operating_points(live, result.calibration, costs)]
    payload["cost"] = cost_figures(live, result.calibration, costs) if costs is not None else None
    text = calibration_text.text(result, source, points_table(operating_points(live, result.calibration, costs)))
    state.finish(payload, text, 4 if result.refusal is not None else 0)


def _costs(prior: float | None, false_non_match: float | None, false_match: float | None) -> Costs | None:
    """What is at stake, None when nothing was said about it."""
    if prior is None and false_non_match is None and false_match is None:
        return None
    from verify_app.evaluation.cost import Costs

    try:
        return Costs(
            0.01 if prior is None else prior,
            1.0 if false_non_match is None else false_non_match,
            1.0 if false_match is None else false_match,
        )
    except ValueError as error:
        text = str(error)
        raise UsageError(
            ReasonCode.USAGE, f"{text[:1].upper()}{text[1:]}.", "See verify-app calibrate --help."
        ) from None


@dataclass(frozen=True, slots=True)
class _Source:
    """Where the trials come from; the people enrolled when nothing is given."""

    scores: str | None
    folder: str | None
    trials: str | None
    embeddings: str | None
    shipped: int
    root: str | None
    aligned: bool
    progress: Any


def _load(source: _Source, modality: Modality | None, similarity: str, exclude: Sequence[str]) -> TrialSet:
    from verify_app.calibration.model import UNFITTED
    from verify_app.matching.fitting import check_name
    from verify_app.services import trial_sets
    from verify_app.services.calibrate import from_vector_file, without_samples

    application, progress = state.application(), source.progress
    left_out = _exclusions(exclude)
    finished = source.scores is not None or source.shipped
    if finished and similarity not in UNFITTED[: 1 if source.shipped else None]:
        check_name(similarity)
        raise UsageError(
            ReasonCode.USAGE,
            f"Finished scores cannot be compared by {similarity}: that takes the samples or their embeddings.",
            "Give --people, --folder, --trials or --embeddings.",
        )
    if source.shipped:
        return trial_sets.from_shipped(application, modality or Modality.FACE, source.shipped)
    if source.scores is not None and modality is None:
        return trial_sets.from_scores(source.scores)
    if source.scores is not None and modality is not None:
        return trial_sets.from_scores(source.scores, modality.value, application.contract(modality).id, similarity)
    if source.embeddings is not None:
        found = from_vector_file(source.embeddings)
    elif source.trials is not None:
        place = Path(source.root) if source.root else None
        found = trial_sets.from_trials(
            application, source.trials, modality, root=place, aligned=source.aligned, progress=progress
        )
    elif source.folder is not None:
        chosen = modality or trial_sets.modality_of_folder(source.folder)
        found = trial_sets.from_folder(application, source.folder, chosen, aligned=source.aligned, progress=progress)
    else:
        found = trial_sets.from_people(application, modality or Modality.FACE)
    return without_samples(found, left_out).compared_by(similarity)


def _exclusions(given: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for text in given:
        file, _, reason = text.partition("=")
        if not reason.strip():
            raise UsageError(ReasonCode.USAGE, f"--exclude {text} gives no reason.", "Write --exclude FILE=REASON.")
        pairs[Path(file).as_posix()] = reason.strip()
    return pairs


def _back_to_general(modality: Modality | None) -> None:
    from verify_app.services.calibrate import back_to_general

    used = back_to_general(state.application(), modality)
    text = "\n".join(f"In use: {one.calibration.name}" for one in used)
    state.finish({"used": [calibration_text.kept_dict(one) for one in used]}, text)


@app.command("list")
def list_command(json: state.JsonFlag = False) -> None:
    """List the calibrations kept, your own and those shipped."""
    from verify_app.services.calibrate import public_id
    from verify_app.services.calibration_library import listed

    kept = listed(state.application())
    if not kept:
        state.finish({"calibrations": []}, "There is no calibration. Fit one: verify-app calibrate --people")
    rows = [
        (
            "in use" if one.active else "",
            one.calibration.name,
            one.calibration.modality,
            words.rate(one.calibration.target_fmr),
            "anyway" if one.calibration.saved_anyway else "",
            one.calibration.created.isoformat(),
            one.id[:8] or public_id(one),
            one.problem,
        )
        for one in kept
    ]
    head = ("", "name", "modality", "target", "", "made", "id", "")
    state.finish(
        {"calibrations": [calibration_text.kept_dict(one) for one in kept]}, words.table(rows, head, indent="")
    )


@app.command()
def show(which: Which, json: state.JsonFlag = False) -> None:
    """Show one calibration: its data, figures and limits."""
    from verify_app.services.calibrate import find

    kept = find(state.application(), which)
    lines = [words.strong(kept.calibration.name), *calibration_text.about(kept.calibration)]
    if kept.problem:
        lines.append(f"  cannot be used now: {kept.problem}")
    lines += [f"  {line}" for line in kept.calibration.history]
    record = kept.calibration.as_dict()
    del record["curve"], record["parameters"]
    record["fitted"] = calibration_text.fitted_to(kept.calibration)
    state.finish({**record, **calibration_text.kept_dict(kept)}, "\n".join(lines))


@app.command()
def use(which: Which, json: state.JsonFlag = False) -> None:
    """Decide by a calibration from now on."""
    from verify_app.services.calibrate import use as use_calibration

    kept = use_calibration(state.application(), which)
    state.finish(calibration_text.kept_dict(kept), f"In use for {kept.calibration.modality}: {kept.calibration.name}")


@app.command()
def export(
    which: Which,
    out: Annotated[str, typer.Option("--out", metavar="FILE", help="The JSON file to write.", show_default=False)],
    with_embeddings: Annotated[
        bool,
        typer.Option("--with-embeddings", help="Even if its similarity holds embeddings of people, which are shown."),
    ] = False,
    json: state.JsonFlag = False,
) -> None:
    """Write a calibration to a JSON file.

    It holds rates and counts; with the similarities as-norm, local and kernel also embeddings of people, which
    are biometric data: then it is written only with --with-embeddings.
    """
    from verify_app.services import calibration_library
    from verify_app.services.calibrate import find

    calibration = find(state.application(), which).calibration
    file = calibration_library.export(calibration, out, with_embeddings=with_embeddings)
    note = f", with {words.count(calibration.embeddings, 'embedding')} of people" if calibration.embeddings else ""
    state.finish({"file": str(file), "embeddings": calibration.embeddings}, f"Written: {file}{note}")


@app.command("import")
def import_command(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A file that export wrote.", show_default=False)],
    use: Annotated[bool, typer.Option("--use", help="Decide by it from now on.")] = False,
    json: state.JsonFlag = False,
) -> None:
    """Keep a calibration from a JSON file."""
    from verify_app.services.calibration_library import import_file, listed

    application = state.application()
    calibration = import_file(application, file, activate=use)
    kept = listed(application)[0]
    note = f"\n  It cannot be used now: {kept.problem}" if kept.problem else ""
    state.finish(calibration_text.kept_dict(kept), f"Kept: {calibration.name}{note}")


@app.command()
def remove(which: Which, json: state.JsonFlag = False) -> None:
    """Remove one of your own calibrations."""
    from verify_app.services.calibrate import remove as remove_calibration

    kept = remove_calibration(state.application(), which)
    state.finish(calibration_text.kept_dict(kept), f"Removed: {kept.calibration.name}")
