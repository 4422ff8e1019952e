"""What can be chosen in a grouping job, apart so that the shell tool can name it without importing any of the rest."""

from __future__ import annotations

from enum import StrEnum


class Method(StrEnum):
    """How groups are found."""

    AGGLOMERATIVE = "agglomerative"
    HDBSCAN = "hdbscan"


class Action(StrEnum):
    """What a correction of groups does."""

    MERGE = "merge"
    SPLIT = "split"
    UNDO = "undo"
