"""``verify-app bench``: one set of data under every similarity, fusion, and what a decision rests on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from verify_app.cli import state, words
from verify_app.cli.options import chosen_modality
from verify_app.cli.progress import shown_progress
from verify_app.domain import Modality
from verify_app.reasons import ReasonCode, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from verify_app.services.bench.run import Bench

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def bench(
    context: typer.Context,
    embeddings: Annotated[
        str | None, typer.Option(metavar="X.npz", help="Labelled vectors from anywhere (NPZ or Parquet).")
    ] = None,
    folder: Annotated[str | None, typer.Option(metavar="DIR", help="A folder with one folder per person.")] = None,
    people: Annotated[bool, typer.Option("--people", help="The samples of the people enrolled.")] = False,
    modality: Annotated[
        str, typer.Option(metavar="face|voice", help="What --folder holds, or which samples of --people.")
    ] = "face",
    aligned: Annotated[
        bool, typer.Option("--aligned", help="The faces in --folder are 112 × 112 aligned crops already.")
    ] = False,
    dimensions: Annotated[
        list[int] | None, typer.Option("--dimension", metavar="D", help="Shorten to this length. Repeatable.")
    ] = None,
    out: Annotated[str | None, typer.Option(metavar="FILE", help="Write the report as HTML.")] = None,
    map_by: Annotated[
        str,
        typer.Option("--map", metavar="METHOD", help="How the report maps the people: pca, t-sne, or umap (an extra)."),
    ] = "pca",
    json: state.JsonFlag = False,
) -> None:
    """Compare similarities, normalisations and dimensions on the same data.

    Half of the subjects serve to fit what needs fitting, the other half are measured. Figures have 95 % intervals.

    \b
    Examples:
      verify-app bench --folder photos/ --out bench.html
      verify-app bench --embeddings genes.npz --dimension 16 --dimension 64
      verify-app bench fusion faces.npz voices.npz
      verify-app bench explain probe.jpg reference.jpg --out why.png
    """
    if context.invoked_subcommand is not None:
        return
    given = {"--embeddings": embeddings, "--folder": folder, "--people": people}
    chosen = [option for option, value in given.items() if value]
    if len(chosen) != 1:
        what = "Give one source" if not chosen else f"Give only one of {' and '.join(chosen)}"
        raise UsageError(ReasonCode.USAGE, f"{what}: {', '.join(given)}.", "See verify-app bench --help.")
    if any(dimension < 1 for dimension in dimensions or []):
        raise UsageError(ReasonCode.USAGE, "A dimension is a whole number of at least 1.")
    from dataclasses import replace

    from verify_app.services.bench.maps import redrawn
    from verify_app.services.bench.report import write_report
    from verify_app.services.bench.run import DIMENSIONS, run_bench

    vectors, subjects, source = _vectors(embeddings, folder, chosen_modality(modality) or Modality.FACE, aligned)
    with shown_progress("comparing") as progress:
        result = run_bench(vectors, subjects, source, dimensions=dimensions or DIMENSIONS, progress=progress)
        if map_by != "pca":
            result = replace(result, map=redrawn(result.map, map_by, progress=progress))
    text = _text(result)
    payload = result.as_dict()
    if out is not None:
        payload["report"] = str(write_report(result, out))
        text += f"\nReport: {out}"
    state.finish(payload, text)


def _vectors(
    embeddings: str | None, folder: str | None, modality: Modality, aligned: bool
) -> tuple[NDArray[Any], NDArray[Any], str]:
    """Vectors, subjects and a name of the source chosen."""
    import numpy as np

    if embeddings is not None:
        from verify_app.services.vector_table import read_vectors

        found = read_vectors(embeddings)
        return found.vectors, found.subjects, Path(embeddings).name
    from verify_app.services import trial_sets

    application = state.application()
    if folder is not None:
        with shown_progress("embedding") as progress:
            trials = trial_sets.from_folder(application, folder, modality, aligned=aligned, progress=progress)
    else:
        trials = trial_sets.from_people(application, modality)
    return np.asarray(trials.vectors), np.array([sample.subject for sample in trials.samples]), trials.source


def _text(result: Bench) -> str:
    rows = [
        (
            row.name,
            words.percent_interval(row.eer),
            words.percent_interval(row.fnmr),
            f"{row.min_cllr:.4f}",
            f"{row.min_cost:.4f}",
        )
        for row in result.rows
    ]
    head = (
        f"{result.vectors} embeddings from {result.source}: fitted on {result.fitted_subjects} subjects, measured on "
        f"{result.measured_subjects} others ({words.grouped(result.mated)} mated, {words.grouped(result.non_mated)} "
        "non-mated); 95 % intervals in brackets"
    )
    table = words.table(rows, ("", "EER", "FNMR at FMR 0.001", "min Cllr", "min cost"))
    skipped = [f"  not measured: {name}: {why}" for name, why in result.skipped.items()]
    return "\n".join([head, table, *skipped])


@app.command()
def fusion(
    faces: Annotated[str, typer.Argument(metavar="FACES.npz", help="Labelled embeddings of faces.")],
    voices: Annotated[str, typer.Argument(metavar="VOICES.npz", help="Labelled embeddings of voices.")],
    references: Annotated[int, typer.Option(metavar="N", min=1, help="Samples behind one reference.")] = 1,
    splits: Annotated[int, typer.Option(metavar="N", min=1, help="Random splits into halves to average over.")] = 5,
    json: state.JsonFlag = False,
) -> None:
    """Measure face and voice together on chimeric people: faces and voices of separate sets, joined at random.

    Calibrations are fitted on half of the people and measured on the other half, over all ways to join them.
    """
    from verify_app.services.bench.fusion import measure_fusion
    from verify_app.services.vector_table import read_vectors

    found = [read_vectors(file) for file in (faces, voices)]
    with shown_progress("fitting") as progress:
        figures = measure_fusion(found[0], found[1], references=references, splits=splits, progress=progress)
    rates = [
        ("EER by face", words.percent_interval(figures.face_eer)),
        ("EER by voice", words.percent_interval(figures.voice_eer)),
        ("EER fused", words.percent_interval(figures.fused_eer)),
        ("  weighted by quality", words.percent_interval(figures.weighted_eer)),
        ("fused / better", f"{figures.ratio.value:.3f} ({figures.ratio.low:.3f}–{figures.ratio.high:.3f})"),
    ]
    levels = [
        (
            f"{level.predicted:.0e}",
            f"{level.counted:.2e}",
            f"{100 * level.covered:.0f} %",
            f"{100 * level.fnmr:.2f} %",
            f"{level.decided:.2e}",
            f"{100 * level.decided_fnmr:.2f} %",
        )
        for level in figures.levels
    ]
    head = ("FMR predicted", "counted", "in interval", "FNMR", "FMR where accepted", "FNMR there")
    text = "\n".join(
        [
            f"faces of {figures.faces} people, voices of {figures.voices}, {words.count(figures.splits, 'split')} into "
            "halves, 95 % intervals in brackets",
            words.table(rates),
            words.table(levels, head),
        ]
    )
    state.finish(figures.as_dict(), text)


@app.command()
def explain(
    probe: Annotated[str, typer.Argument(metavar="PROBE", help="A picture of a face or a recording of a voice.")],
    reference: Annotated[str, typer.Argument(metavar="REFERENCE", help="Another of the same kind.")],
    out: Annotated[str, typer.Option(metavar="FILE.png", help="The picture to write.")] = "saliency.png",
    json: state.JsonFlag = False,
) -> None:
    """Show which parts of a face, or which times and frequencies of a voice, speak for or against a match."""
    from verify_app.services.bench.explain import explain as explain_files

    found, file = explain_files(state.application(), probe, reference, out)
    payload = {
        "score": found.score,
        "picture": str(file),
        "map": [[round(float(value), 6) for value in row] for row in found.map],
        "seconds": None if found.times is None else found.times.tolist(),
        "hertz": None if found.bands is None else found.bands.tolist(),
    }
    state.finish(payload, f"Score {found.score:.3f}; written: {file}")
