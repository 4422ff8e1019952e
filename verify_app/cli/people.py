"""``verify-app people``: who is enrolled."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from verify_app.cli import state, words
from verify_app.reasons import Cancelled, ReasonCode, UsageError

if TYPE_CHECKING:
    from verify_app.services.people import PersonOverview

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="""List, show, rename, remove or export the people enrolled.

    \b
    Examples:
      verify-app people list
      verify-app people show "Ada"
      verify-app people rename "Ada" "Ada Lovelace"
      verify-app people export "Ada" --out ada.json
      verify-app people remove "Ada" --yes
    """,
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="The person's name or id.", show_default=False)]


@app.command("list")
def list_command(json: state.JsonFlag = False) -> None:
    """List everybody enrolled, with the number of samples."""
    from verify_app.services.people import list_people

    people = list_people(state.application())
    if not people:
        state.finish({"people": []}, "Nobody is enrolled yet. Enrol somebody: verify-app enroll NAME FILE…")
    rows = [
        (
            one.person.name,
            words.count(one.faces, "face"),
            words.count(one.voices, "voice"),
            _day(one.person.created),
            "" if one.up_to_date else "another encoder: enrol again",
        )
        for one in people
    ]
    state.finish({"people": [_overview_dict(one) for one in people]}, words.table(rows, indent=""))


@app.command()
def show(name: Name, json: state.JsonFlag = False) -> None:
    """Show one person and the samples kept."""
    from verify_app.services.people import show as show_person

    overview, samples = show_person(state.application(), name)
    rows = [
        (
            sample.modality,
            f"quality {sample.quality['score']:.2f}" if "score" in sample.quality else "",
            _day(sample.created),
            sample.source,
        )
        for sample in samples
    ]
    lines = [words.strong(overview.person.name), f"  id {overview.person.id}, enrolled {_day(overview.person.created)}"]
    if rows:
        lines.append(words.table(rows))
    if not overview.up_to_date:
        lines.append("  Some templates were made by another encoder than the one in use: enrol again.")
    payload = {
        **_overview_dict(overview),
        "samples": [
            {
                "id": sample.id,
                "modality": sample.modality,
                "source": sample.source,
                "device_class": sample.device_class,
                "sha256": sample.sha256,
                "quality": dict(sample.quality),
                "created": sample.created.isoformat(),
            }
            for sample in samples
        ],
    }
    state.finish(payload, "\n".join(lines))


@app.command()
def rename(
    name: Name,
    new_name: Annotated[str, typer.Argument(metavar="NEW_NAME", help="The new name.", show_default=False)],
    json: state.JsonFlag = False,
) -> None:
    """Give a person another name."""
    from verify_app.services.people import rename as rename_person

    person = rename_person(state.application(), name, new_name)
    state.finish({"person": {"id": person.id, "name": person.name}}, f"{name} is now called {person.name}.")


@app.command()
def remove(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: state.JsonFlag = False,
) -> None:
    """Erase a person with every sample and template. This cannot be undone."""
    from verify_app.services.people import remove as remove_person
    from verify_app.services.people import show as show_person

    application = state.application()
    overview, _ = show_person(application, name)
    if not yes:
        _confirm(overview)
    removed = remove_person(application, overview.person.id)
    rest = "the templates are erased."
    if not removed.erased:
        rest = "another program was reading the database, so the bytes are erased at the next opening."
    text = f"{removed.person.name} is removed; {rest}"
    if removed.calibrations:
        text += f"\n  Calibrations that held their embeddings are removed too: {', '.join(removed.calibrations)}."
    payload = {
        "person": {"id": removed.person.id, "name": removed.person.name},
        "erased": removed.erased,
        "calibrations_removed": list(removed.calibrations),
    }
    state.finish(payload, text)


@app.command()
def export(
    name: Name,
    out: Annotated[str, typer.Option("--out", metavar="FILE.json", help="Where to write it.", show_default=False)],
    json: state.JsonFlag = False,
) -> None:
    """Write everything stored about a person to a JSON file: the answer to a request for one's data.

    The file holds templates in base64. It is biometric data and not encrypted: hand it over safely.
    """
    from verify_app.services.people import export as export_person

    file = export_person(state.application(), name, out)
    state.finish({"file": str(file)}, f"Everything stored about {name} is in {file}. It is not encrypted.")


def _confirm(overview: PersonOverview) -> None:
    if state.speaks_json() or not sys.stdin.isatty():
        raise UsageError(
            ReasonCode.USAGE, "Removing asks for a yes, and nobody can be asked here.", "Add --yes to remove."
        )
    what = f"{words.count(overview.faces, 'face')} and {words.count(overview.voices, 'voice')}"
    answer = input(f"Erase {overview.person.name} with {what}? This cannot be undone. [y/N] ")
    if answer.strip().lower() not in ("y", "yes"):
        raise Cancelled("Nothing was removed.")


def _overview_dict(one: PersonOverview) -> dict[str, Any]:
    return {
        "id": one.person.id,
        "name": one.person.name,
        "faces": one.faces,
        "voices": one.voices,
        "created": one.person.created.isoformat(),
        "up_to_date": one.up_to_date,
    }


def _day(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d")
