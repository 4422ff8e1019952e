"""What a batch job is asked to do: a frozen value with a digest, so that a folder of results knows its job."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from verify_app.domain import Modality
from verify_app.reasons import ReasonCode, UsageError

POLICIES = ("one", "largest", "largest-centred", "skip", "all")
"""What to do with several faces in one image: refuse it, take one of them, pass over it, or take each."""


MANY_PARTS = frozenset({"verify", "identify", "cross", "duplicates", "group"})
"""The kinds of job that can take every face of an image and every stretch of speech; pairs are of whole files."""


ANALYSIS = 2
"""Version of what is made of a file under the same options; embeddings cached under another are not used."""


class JobKind(StrEnum):
    """The questions a batch job can answer."""

    VERIFY = "verify"
    IDENTIFY = "identify"
    PAIRS = "pairs"
    CROSS = "cross"
    DUPLICATES = "duplicates"
    GROUP = "group"


@dataclass(frozen=True, slots=True)
class JobSpec:
    """Everything that decides which files are read and which embeddings are made of them.

    The operating point and the calibration are not part of it: scoring the same embeddings again
    under another threshold is the same job.

    Attributes:
        kind: the question.
        modality: face or voice.
        sources: absolute paths of the folders, zip files or tables the job reads.
        claim: how the claimed subject is found: ``""``, ``"folder"``, ``"name:REGEX"`` or ``"csv:FILE"``.
        patterns: glob patterns a file name must match one of; empty means every file.
        faces: what to do with several faces in one image, one of :data:`POLICIES`.
        gates: refuse samples of insufficient quality.
        aligned: face images already are template-aligned crops.
        segments: each stretch of speech in a recording is a sample of its own.
    """

    kind: JobKind
    modality: Modality
    sources: tuple[str, ...]
    claim: str = ""
    patterns: tuple[str, ...] = ()
    faces: str = "one"
    gates: bool = True
    aligned: bool = False
    segments: bool = False

    def __post_init__(self) -> None:
        if self.faces not in POLICIES:
            raise UsageError(ReasonCode.USAGE, f"{self.faces!r} is no policy.", f"Use one of {', '.join(POLICIES)}.")
        if (self.faces == "all" or self.segments) and self.kind not in MANY_PARTS:
            what = "stretch of speech in each recording" if self.segments else "face of each image"
            raise UsageError(
                ReasonCode.USAGE,
                f"A job of the kind {self.kind} compares one {what}, not all of them.",
                f"Take them all with one of {', '.join(sorted(MANY_PARTS))}.",
            )

    @classmethod
    def of(cls, kind: JobKind, modality: Modality, sources: list[Path], **options: object) -> JobSpec:
        """A job over ``sources``, whose paths are made absolute so that the working folder does not matter."""
        if modality is Modality.VOICE:
            options |= {"faces": "one", "aligned": False}
        else:
            options |= {"segments": False}
        return cls(kind, modality, tuple(str(path.resolve()) for path in sources), **options)  # type: ignore[arg-type]

    @classmethod
    def from_json(cls, text: str) -> JobSpec:
        """The job that :meth:`to_json` wrote."""
        values = json.loads(text)
        lists = {name: tuple(values[name]) for name in ("sources", "patterns")}
        return cls(**{**values, **lists, "kind": JobKind(values["kind"]), "modality": Modality(values["modality"])})

    def to_json(self) -> str:
        """Canonical JSON: equal jobs give equal text, also those from before there were segments."""
        values = asdict(self)
        if not self.segments:
            del values["segments"]
        text = json.dumps(values, sort_keys=True, ensure_ascii=False)
        return text.encode("utf-8", "backslashreplace").decode()  # paths need not be text; this is an escape of JSON

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON, hexadecimal."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    @property
    def analysis_digest(self) -> str:
        """Names the options that change what is made of one file; part of the key of cached embeddings."""
        options = json.dumps([ANALYSIS, self.modality, self.faces, self.gates, self.aligned, self.segments])
        return hashlib.sha256(options.encode()).hexdigest()[:16]
