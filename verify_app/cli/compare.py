"""``verify-app compare``: two files, nobody enrolled."""

from __future__ import annotations

from typing import Annotated

import typer

from verify_app.cli import state
from verify_app.cli.options import decision_dict, decision_text

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="The reference: an image, a recording or a video.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The probe, of the same kind.")],
    target_fmr: state.TargetFmr = None,
    json: state.JsonFlag = False,
) -> None:
    """Decide whether two files show the same person. Nobody is enrolled and nothing is stored.

    \b
    Examples:
      verify-app compare passport.jpg selfie.jpg
      verify-app compare call-1.wav call-2.opus --target-fmr 0.01
      verify-app compare a.jpg b.jpg --json

    \b
    Exit codes: 0 the same person, 1 not verified, 3 a file cannot be used.
    """
    from verify_app.services.compare import compare as compare_files

    result = compare_files(state.application(), a, b, target_fmr=state.check_target(target_fmr))
    state.finish(
        decision_dict(result.decision, result.samples),
        decision_text(result.decision, result.samples),
        0 if result.decision.verified else 1,
    )
