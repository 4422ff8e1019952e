"""``verify-app enroll``: samples to templates."""

from __future__ import annotations

from typing import Annotated

import typer

from verify_app.cli import state, words
from verify_app.cli.options import Files
from verify_app.cli.progress import shown_progress

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def enroll(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The person's name.", show_default=False)],
    files: Files,
    json: state.JsonFlag = False,
) -> None:
    """Enrol a person from images, recordings or videos; several samples make the decisions better.

    Faces and voices may be mixed. Good samples are kept, the others are reported with the reason. A name that
    is enrolled already gets the samples added. The files themselves are not kept: only an encrypted template
    of each, and of a face a small crop to recognise it in the list.

    \b
    Examples:
      verify-app enroll "Ada" front.jpg left.jpg glasses.jpg
      verify-app enroll "Ada" hello.wav
      verify-app enroll "Ada" front.jpg hello.wav --json

    \b
    Exit codes: 0 enrolled (perhaps with some files refused), 3 no file can be used.
    """
    from verify_app.services.enrol import enrol

    with shown_progress("enrolling") as progress:
        result = enrol(state.application(), name, files, progress=progress)
    person, kept = result.person, len(result.accepted)
    added = "Enrolled" if result.created else "Already enrolled, so the samples were added:"
    head = words.strong(f"{added} {person.name}", good=True)
    lines = [f"{head}  {kept} of {words.count(len(result.outcomes), 'sample')} kept."]
    for outcome in result.outcomes:
        if outcome.reason is None and outcome.quality is not None and outcome.modality is not None:
            lines.append(f"  kept     {outcome.source}  {outcome.modality}, quality {outcome.quality.score:.2f}")
        elif outcome.reason is not None:
            lines.append(f"  refused  {outcome.source}  {outcome.reason.message} [{outcome.reason.code.value}]")
            if outcome.reason.advice:
                lines.append(f"           {outcome.reason.advice}")
    payload = {
        "person": {"id": person.id, "name": person.name},
        "created": result.created,
        "kept": kept,
        "samples": [outcome.as_dict() for outcome in result.outcomes],
    }
    state.finish(payload, "\n".join(lines))
