"""Do several people speak? Embeddings of the pieces of one recording, against each other.

The speech is cut into pieces of two seconds, these are parted into the two most different groups, and the groups'
mean embeddings are compared: a change of speaker parts them further than one voice strays. From which cosine on
one voice is believed was measured on recordings of training speakers with the same encoder
(``models/quality/speakers.py``), and is kept in ``speakers.json`` beside it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from verify_app.domain import Contract, FloatArray
from verify_app.reasons import ReasonCode, StateError

FILE_NAME = "speakers.json"
_RATE = 16_000
PIECE = 2 * _RATE
"""Samples of one piece."""
MOST_PIECES = 8
"""Of longer speech so many pieces, evenly apart: the check must not cost more than the embedding."""


@dataclass(frozen=True, slots=True)
class SpeakerLimits:
    """From which cosine between two groups of pieces one speaker is believed.

    Attributes:
        lowest: the limit for each number of pieces.
    """

    lowest: Mapping[int, float]

    @classmethod
    def read(cls, folder: Path, contract: Contract) -> SpeakerLimits | None:
        """The limits measured for an encoder; None when none were, or with another encoder file.

        Raises:
            StateError: MODEL_CORRUPT when the file is there and cannot be read.
        """
        file = folder / FILE_NAME
        try:
            record = json.loads(file.read_text(encoding="utf-8"))
            if record["contract"] != contract.id:
                return None
            return cls({int(count): float(limit) for count, limit in record["lowest"].items()})
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise StateError(
                ReasonCode.MODEL_CORRUPT,
                f"{file} cannot be read: {error}.",
                "Install the application again, or restore the models folder from its source.",
            ) from None


def pieces(speech: FloatArray) -> FloatArray:
    """Pieces of joined speech, evenly apart.

    Args:
        speech: float32 (samples,), 16 kHz.

    Returns:
        float32 (n, 32000), n up to 8; no row when there is not enough speech for two.
    """
    count = min(len(speech) // PIECE, MOST_PIECES)
    if count < 2:
        return np.empty((0, PIECE), np.float32)
    starts = np.linspace(0, len(speech) - PIECE, count).astype(int)
    return np.stack([speech[start : start + PIECE] for start in starts])


def likeness(vectors: FloatArray) -> float:
    """Cosine between the two most different groups of pieces.

    The groups lie on either side of the mean along the direction in which the pieces differ most; a group of one
    piece in many is possible, so that a short interruption shows.

    Args:
        vectors: float32 (n, d), unit rows, n >= 2.
    """
    centred = vectors - vectors.mean(axis=0)
    direction = np.linalg.svd(centred, full_matrices=False)[2][0]
    right = centred @ direction > 0
    if right.all() or not right.any():
        return 1.0
    first, second = vectors[right].mean(axis=0), vectors[~right].mean(axis=0)
    return float(first @ second / max(np.linalg.norm(first) * np.linalg.norm(second), 1e-12))
