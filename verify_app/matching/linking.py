"""What holds together what one person shows in one recording."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Linking:
    """Scores that hold the parts of one person together. A calibration gives them: no score has a meaning without one.

    Attributes:
        follow: what comes next in time or place goes on with the same person from this cosine score on.
        same: parts that nothing but likeness connects are joined from this score on.
    """

    follow: float
    same: float
