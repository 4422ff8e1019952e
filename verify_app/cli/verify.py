"""``verify-app verify``: one claim, one or more samples."""

from __future__ import annotations

from typing import Annotated

import typer

from verify_app.cli import state
from verify_app.cli.options import Files, decision_dict, decision_text

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def verify(
    files: Files,
    claim: Annotated[str, typer.Option("--as", metavar="NAME", help="The person claimed.", show_default=False)],
    target_fmr: state.TargetFmr = None,
    json: state.JsonFlag = False,
) -> None:
    """Verify that the files are of the person claimed.

    Face and voice files may be given together: their evidence is fused into one decision. Several files of
    one kind count as one probe, by their mean score. A file that cannot be used is left out and reported.

    The decision says how many other people would score as high (the predicted false-match rate), and
    compares it with the operating point.

    \b
    Examples:
      verify-app verify --as "Ada" door.jpg
      verify-app verify --as "Ada" door.jpg hello.wav --target-fmr 0.0001
      verify-app verify --as "Ada" door.jpg --json | jq .predicted_fmr

    \b
    Exit codes: 0 verified, 1 not verified, 3 no file can be used,
    4 no such person, not enrolled by that kind, or enrolled with another encoder.
    """
    from verify_app.services.verify import verify as verify_claim

    application = state.application()
    result = verify_claim(application, claim, files, target_fmr=state.check_target(target_fmr))
    payload = decision_dict(result.decision, result.samples)
    if result.person is not None:
        payload["person"] = {"id": result.person.id, "name": result.person.name}
    state.finish(payload, decision_text(result.decision, result.samples), 0 if result.decision.verified else 1)
