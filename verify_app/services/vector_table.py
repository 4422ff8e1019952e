"""Labelled embeddings from anywhere: NPZ or Parquet, for evaluation, calibration and the bench.

NPZ: ``vectors`` (n, d) and ``subjects`` (n,), perhaps ``files`` (n,), ``contract`` and ``modality`` as
``verify-app embed`` writes them (``embeddings`` and ``labels`` are understood too). Parquet: a column
``subject`` (or ``label``) and either a list column ``vector`` (or ``embedding``) or one column per number.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verify_app.reasons import ReasonCode, UnusableInput

VECTORS = ("vectors", "embeddings", "vector", "embedding", "x")
SUBJECTS = ("subjects", "labels", "subject", "label", "identity", "speaker", "person", "y")
MOST_VECTORS = 8000
"""All pairs of more embeddings than this do not fit into memory."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelledVectors:
    """Embeddings with the subject of each.

    Attributes:
        vectors: float32 array (n, d).
        subjects: array (n,) of names.
        files: array (n,), where each came from, or None.
        contract: contract id of the embeddings, ``"any"`` when the file does not tell.
        modality: ``"face"``, ``"voice"``, or ``"vectors"`` when the file does not tell.
        quality: array (n,) of quality scores 0..1, or None.
    """

    vectors: NDArray[np.float32]
    subjects: NDArray[Any]
    files: NDArray[Any] | None = None
    contract: str = "any"
    modality: str = "vectors"
    quality: NDArray[Any] | None = None


def read_vectors(path: str | Path) -> LabelledVectors:
    """Read labelled embeddings.

    Raises:
        UnusableInput: FILE_NOT_FOUND, FILE_EMPTY, FILE_UNREADABLE, FORMAT_UNSUPPORTED, TABLE_INVALID naming
            the array and the row, or TRIALS_TOO_FEW.
    """
    file = Path(path)
    try:
        start = _start(file)
    except FileNotFoundError:
        raise UnusableInput(ReasonCode.FILE_NOT_FOUND, f"There is no file {file}.", "Check the path.") from None
    except OSError as error:
        raise UnusableInput(ReasonCode.FILE_UNREADABLE, f"{file} cannot be read: {error.strerror}.") from None
    if not start:
        raise UnusableInput(ReasonCode.FILE_EMPTY, f"{file} is empty.", "Write it again.")
    if start.startswith(b"PAR1"):
        columns = _parquet(file)
    elif start.startswith(b"PK"):
        columns = _npz(file)
    else:
        raise UnusableInput(
            ReasonCode.FORMAT_UNSUPPORTED, f"{file} is neither NPZ nor Parquet.", "Write it with numpy.savez."
        )
    return _checked(file, columns)


def _start(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(4)


def _npz(file: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(file, allow_pickle=False) as stored:
            return {name.lower(): stored[name] for name in stored.files}
    except (OSError, ValueError, zipfile.BadZipFile, KeyError, EOFError):
        raise UnusableInput(
            ReasonCode.FILE_UNREADABLE,
            f"{file} is not a readable NPZ file of plain arrays.",
            "Write it with numpy.savez; names must be text, not Python objects.",
        ) from None


def _parquet(file: Path) -> dict[str, NDArray[Any]]:
    try:
        import pyarrow.parquet as parquet
    except ImportError:
        raise UnusableInput(
            ReasonCode.FORMAT_UNSUPPORTED,
            f"{file} is Parquet, which this installation cannot read.",
            "Install the extra “tables”, or give NPZ.",
        ) from None
    try:
        table = parquet.read_table(file)
        columns = {name.lower(): table.column(name).to_pylist() for name in table.column_names}
    except Exception as error:  # noqa: BLE001  pyarrow's errors have no common base
        raise UnusableInput(
            ReasonCode.FILE_UNREADABLE, f"{file} is not a readable Parquet file ({type(error).__name__})."
        ) from None
    found: dict[str, NDArray[Any]] = {}
    numbers = []
    for name, values in columns.items():
        if name in VECTORS:
            try:
                found["vectors"] = np.array(values, dtype=np.float64)
            except (ValueError, TypeError):
                raise _invalid(file, f"the entries of column “{name}” are not lists of equally many numbers") from None
        elif name in SUBJECTS or name in ("files", "file", "contract", "modality"):
            found[name] = np.array([str(value) for value in values])
        elif values and all(isinstance(value, float) for value in values):
            numbers.append(np.array(values))
    if "vectors" not in found and numbers:
        found["vectors"] = np.column_stack(numbers)
    return found


def _checked(file: Path, columns: dict[str, NDArray[Any]]) -> LabelledVectors:
    names = {what: next((name for name in known if name in columns), None) for what, known in _KNOWN.items()}
    for what, name in names.items():
        if name is None:
            have = ", ".join(columns) or "nothing"
            raise _invalid(file, f"there is no “{what}” (it has {have})", "Give vectors (n, d) and subjects (n,).")
    vectors, subjects = columns[names["vectors"] or ""], columns[names["subjects"] or ""]
    if vectors.ndim != 2 or vectors.dtype.kind not in "fiu" or 0 in vectors.shape:
        raise _invalid(file, f"“vectors” must be numbers of shape (n, d), not {vectors.dtype} {vectors.shape}")
    if subjects.shape != (len(vectors),):
        raise _invalid(file, f"there are {len(vectors)} vectors but {subjects.size} subjects")
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        raise _invalid(file, f"row {int(np.argmin(finite)) + 1} of “vectors” holds a number that is not finite")
    empty = ~vectors.any(axis=1)
    if empty.any():
        raise _invalid(file, f"row {int(np.argmax(empty)) + 1} of “vectors” is all zeros")
    if len(vectors) > MOST_VECTORS:
        raise _invalid(
            file, f"it holds {len(vectors)} vectors", f"Give at most {MOST_VECTORS}: all pairs are compared."
        )
    _, counts = np.unique(subjects, return_counts=True)
    if counts.size < 2 or counts.max() < 2:
        raise UnusableInput(
            ReasonCode.TRIALS_TOO_FEW,
            f"{file}: there must be at least two subjects, and one of them must have two vectors.",
            "Add vectors.",
        )
    files = columns.get("files", columns.get("file"))
    return LabelledVectors(
        vectors.astype(np.float32),
        subjects,
        files if files is not None and files.shape == subjects.shape else None,
        str(columns["contract"].flat[0]) if "contract" in columns else "any",
        str(columns["modality"].flat[0]) if "modality" in columns else "vectors",
        columns["quality"] if "quality" in columns and columns["quality"].shape == subjects.shape else None,
    )


_KNOWN = {"vectors": VECTORS, "subjects": SUBJECTS}


def _invalid(file: Path, what: str, advice: str = "Correct the file.") -> UnusableInput:
    return UnusableInput(ReasonCode.TABLE_INVALID, f"{file}: {what}.", advice)
