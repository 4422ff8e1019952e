"""Who each file is claimed to show: its folder, a pattern on its name, or a table."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from verify_app.reasons import ReasonCode, UsageError
from verify_app.services.batch.inventory import MEMBER_SEPARATOR, read_claims

ClaimRule = Callable[[str], str]
"""Takes the name of a file within the job, gives the claimed subject; empty when there is none."""


def claim_rule(claim: str) -> ClaimRule:
    """The rule that ``claim`` describes.

    ``folder`` takes the name of the file's own folder; ``name:REGEX`` the first group of the expression
    (or the whole match) searched in the file name; ``csv:FILE`` the column ``claim`` of the row whose
    column ``file`` names the file, as listed in the results.

    Raises:
        UsageError: none of these forms, or an invalid regular expression.
        UnusableInput: the table cannot be used.
    """
    kind, _, argument = claim.partition(":")
    if claim == "folder":
        return _folder_of
    if kind == "name" and argument:
        return _name_rule(argument)
    if kind == "csv" and argument:
        return _table_rule(Path(argument))
    raise UsageError(
        ReasonCode.USAGE,
        f"{claim!r} does not say whom the files are claimed to show.",
        "Use folder, name:REGEX or csv:FILE.",
    )


def _folder_of(name: str) -> str:
    parts = name.replace(MEMBER_SEPARATOR, "/").split("/")
    return parts[-2] if len(parts) > 1 else ""


def _name_rule(expression: str) -> ClaimRule:
    try:
        compiled = re.compile(expression)
    except re.error as error:
        raise UsageError(
            ReasonCode.USAGE, f"{expression!r} is not a regular expression: {error}.", "Mend it."
        ) from None

    def rule(name: str) -> str:
        found = compiled.search(name.replace(MEMBER_SEPARATOR, "/").rsplit("/", 1)[-1])
        if found is None:
            return ""
        return (found.group(1) if compiled.groups else found.group(0)) or ""

    return rule


def _table_rule(table: Path) -> ClaimRule:
    claims = read_claims(table)
    return lambda name: claims.get(name, "")
