"""``verify-app models``: the encoders of this installation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from verify_app.cli import state, words

if TYPE_CHECKING:
    from verify_app.encoders.manifest import ModelEntry

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="""List, show, check or choose the encoders.

    \b
    Examples:
      verify-app models list
      verify-app models show face-encoder
      verify-app models check
      verify-app models use face-encoder-light
    """,
)


@app.command("list")
def list_command(json: state.JsonFlag = False) -> None:
    """List the encoders in the manifest."""
    manifest = state.application().manifest
    rows = [
        (one.name, f"version {one.version}", f"{one.bytes / 1e6:.1f} MB", one.licence, "in use" if one.default else "")
        for one in manifest.models
    ]
    payload = {"root": str(manifest.root), "models": [_entry_dict(one) for one in manifest.models]}
    state.finish(payload, words.table(rows, indent=""))


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The model's name.", show_default=False)],
    json: state.JsonFlag = False,
) -> None:
    """Show one encoder: its contract and its card."""
    from verify_app.services.models import card

    entry = state.application().manifest.named(name)
    facts = _entry_dict(entry)
    text = words.table([(key.replace("_", " "), str(value)) for key, value in facts.items()], indent="")
    described = card(entry)
    state.finish({**facts, "card": described}, f"{text}\n\n{described or 'It has no card.'}")


@app.command()
def check(json: state.JsonFlag = False) -> None:
    """Check every encoder: the digest of the file, the session, a run on zeros.

    \b
    Exit codes: 0 all work, 4 one does not.
    """
    from verify_app.services.models import check_model

    application = state.application()
    checks = [check_model(application, entry) for entry in application.manifest.models]
    rows = [
        (
            one.entry.name,
            "works" if one.works else "DOES NOT WORK",
            f"{one.milliseconds:.1f} ms on {one.provider}" if one.works else one.reason.message if one.reason else "",
        )
        for one in checks
    ]
    advice = sorted({one.reason.advice for one in checks if one.reason is not None})
    payload = {
        "models": [
            {
                "name": one.entry.name,
                "works": one.works,
                "milliseconds": round(one.milliseconds, 2) if one.works else None,
                "provider": one.provider or None,
                "reason": one.reason.as_dict() if one.reason else None,
            }
            for one in checks
        ]
    }
    code = 0 if all(one.works for one in checks) else 4
    state.finish(payload, "\n".join([words.table(rows, indent=""), *advice]), code)


@app.command()
def use(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The encoder's name.", show_default=False)],
    json: state.JsonFlag = False,
) -> None:
    """Use another encoder from now on; people enrolled with the one before have to be enrolled again.

    Templates are bound to the encoder that made them. Those of the encoder used before are kept, and count again
    when you return to it.
    """
    from verify_app.services.models import use_encoder

    chosen = use_encoder(state.application(), name)
    text = f"{chosen.entry.name} is in use."
    if chosen.people_without:
        people = "person has" if chosen.people_without == 1 else "people have"
        text += f" {chosen.people_without} {people} no template of it: enrol them again."
    state.finish({"name": chosen.entry.name, "people_without_template": chosen.people_without}, text)


def _entry_dict(entry: ModelEntry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "role": entry.role,
        "version": entry.version,
        "file": str(entry.path),
        "sha256": entry.sha256,
        "bytes": entry.bytes,
        "preprocessing": entry.preprocessing,
        "dimension": entry.dimension,
        "normalisation": entry.normalisation,
        "licence": entry.licence,
        "default": entry.default,
    }
