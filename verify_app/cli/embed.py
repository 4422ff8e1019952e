"""``verify-app embed``: files to vectors."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from verify_app.cli import state, words
from verify_app.cli.options import Files, ModalityName, chosen_modality, chosen_policy
from verify_app.cli.progress import shown_progress
from verify_app.reasons import UnusableInput

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def embed(
    files: Files,
    out: Annotated[str, typer.Option("--out", metavar="X.npz", help="Where to write them.", show_default=False)],
    modality: ModalityName = None,
    faces: Annotated[
        str, typer.Option(help="Several faces in an image: one (refuse), largest, largest-centred.")
    ] = "one",
    aligned: Annotated[bool, typer.Option("--aligned", help="The images are 112 × 112 aligned crops already.")] = False,
    quality_gates: Annotated[bool, typer.Option(help="Refuse samples of low quality.")] = True,
    json: state.JsonFlag = False,
) -> None:
    """Write the embeddings of files to an NPZ file. Nothing is enrolled.

    The arrays are: vectors (float32, one row per file), files, quality, contract (which encoder made them; only
    vectors of one contract may be compared) and modality. Files that cannot be used are listed and left out.
    Embeddings are biometric data: the file is not encrypted, keep it safe.

    \b
    Examples:
      verify-app embed *.jpg --out faces.npz
      verify-app embed calls/*.wav --out voices.npz --modality voice
    """
    from verify_app.services.embed import EmbedOptions, embed_files, modality_of, write_npz
    from verify_app.services.output import output_file

    wanted = output_file(out)
    application = state.application()
    kind = chosen_modality(modality) or modality_of(files)
    options = EmbedOptions(kind, chosen_policy(faces), aligned, quality_gates)
    with shown_progress("embedding") as progress:
        results = list(embed_files(application, files, options, progress=progress))
    failed = [result for result in results if result.reason is not None]
    if len(failed) == len(results) and failed[0].reason is not None:
        first = failed[0].reason
        raise UnusableInput(first.code, first.message, first.advice)
    contract = application.contract(kind)
    file = write_npz(wanted, results, contract, kind)
    lines = [f"{words.count(len(results) - len(failed), 'embedding')} of {contract.dimension} numbers in {file}"]
    lines += [f"  not used: {one.file}: {one.reason.message} [{one.reason.code.value}]" for one in failed if one.reason]
    payload: dict[str, Any] = {
        "file": str(file),
        "modality": kind.value,
        "contract": contract.id,
        "embedded": len(results) - len(failed),
        "failures": [{"file": one.file, "reason": one.reason.as_dict()} for one in failed if one.reason],
    }
    state.finish(payload, "\n".join(lines))
