"""``verify-app doctor``: what works on this machine."""

from __future__ import annotations

import typer

from verify_app.cli import state, words
from verify_app.reasons import ReasonCode, StateError

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def doctor(json: state.JsonFlag = False) -> None:
    """Say what works on this machine, what does not, and how to mend it.

    Checked for real: Python and the packages, settings, folders, the protection of the key, every record of the
    enrolment database, the digest and a run of every model, the calibrations, the sound formats, the window,
    camera and microphone. “limited” means that the main job works without it.

    \b
    Examples:
      verify-app doctor
      verify-app doctor --json | jq '.findings[] | select(.health != "works")'

    \b
    Exit codes: 0 all that is needed works, 4 something needed does not.
    """
    from verify_app.services.application import Application
    from verify_app.services.doctor import Health, examine_machine

    problem = None
    try:
        application = state.application()
    except StateError as error:
        if error.reason.code is not ReasonCode.SETTINGS_INVALID:
            raise
        problem = error.reason
        application = Application(state.default_settings(), warn=state.warn)
    findings = examine_machine(application, problem)
    failed = [finding for finding in findings if finding.health is Health.FAILS]
    limited = [finding for finding in findings if finding.health is Health.LIMITED]
    lines = []
    for finding in findings:
        good = {Health.WORKS: True, Health.FAILS: False}.get(finding.health)
        lines.append(f"{words.strong(finding.health.value.ljust(8), good)} {finding.part}: {finding.detail}")
        if finding.remedy:
            lines.append(f"         → {finding.remedy}")
    if failed:
        lines.append(f"\n{words.count(len(failed), 'thing')} that the main job needs must be mended.")
    else:
        also = f"; {words.count(len(limited), 'thing')} limited" if limited else ""
        lines.append(f"\nEverything that the main job needs works{also}.")
    payload = {"healthy": not failed, "findings": [finding.as_dict() for finding in findings]}
    state.finish(payload, "\n".join(lines), 4 if failed else 0)
