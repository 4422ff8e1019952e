"""What was made of one file."""

from __future__ import annotations

from dataclasses import dataclass

from verify_app.services.batch.cache import Made
from verify_app.services.batch.place import Place


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """What was made of a file.

    Attributes:
        made: an embedding or a refusal for each part that has a row.
        places: where each part is; empty when the one part is the whole file.
    """

    made: tuple[Made, ...]
    places: tuple[Place | None, ...] = ()
