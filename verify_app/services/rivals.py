"""The same trials by another similarity or another encoder, so that two ways of comparing can be compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from verify_app.domain import FloatArray, Modality
from verify_app.reasons import ReasonCode, StateError, UnusableInput
from verify_app.services.application import Application
from verify_app.services.jobs import CancelledCheck, ProgressCallback, never_cancelled, no_progress
from verify_app.services.trial_sets import TrialSet

Pair = tuple[TrialSet, TrialSet]
"""A set of trials and the same trials scored otherwise; both without what the other way could not score."""


def other_encoders(app: Application, modality: str) -> list[str]:
    """Names of the installed encoders of a modality that are not the one in use; none for other words."""
    if modality not in [one.value for one in Modality]:
        return []
    role = f"{modality}-encoder"
    try:
        used = app.manifest.default(role)
        return [entry.name for entry in app.manifest.models if entry.role == role and entry.name != used.name]
    except StateError:
        return []


def by_similarity(trial_set: TrialSet, similarity: str) -> Pair:
    """The trials under another similarity; raises as :meth:`TrialSet.compared_by` does."""
    return trial_set, trial_set.compared_by(similarity)


def by_encoder(
    app: Application,
    trial_set: TrialSet,
    encoder: str,
    *,
    progress: ProgressCallback = no_progress,
    cancelled: CancelledCheck = never_cancelled,
) -> Pair:
    """The trials by another installed encoder, which embeds the same files again.

    Raises:
        StateError: MODEL_MISSING when there is no such encoder; USAGE when the samples are not files.
        UnusableInput: too little would be left.
        Cancelled: between two files.
    """
    from verify_app.services.embed import EmbedOptions, embed_files

    if not trial_set.samples or any(sample.stored for sample in trial_set.samples):
        raise StateError(
            ReasonCode.USAGE,
            "Another encoder needs the photos and recordings themselves, and these are not kept.",
            "Load a labelled folder or a table of trials, or embeddings of the same samples from a file.",
        )
    files = list(dict.fromkeys(file for sample in trial_set.samples for file in sample.all_files))
    options = EmbedOptions(Modality(trial_set.modality), "largest-centred", trial_set.aligned, gates=False)
    with app.with_encoder(encoder) as other:
        contract_id = other.contract(options.modality).id
        found = embed_files(other, files, options, progress=progress, cancelled=cancelled)
        vectors = {one.file: one.vector for one in found if one.vector is not None}
    return _with_vectors(trial_set, vectors, contract_id, encoder)


def by_vectors(trial_set: TrialSet, path: str | Path) -> Pair:
    """The trials by embeddings of the same samples from a file.

    Samples are found by the names in ``files``, in full or by their ends; without names the file must hold
    the same subjects in the same order.

    Raises:
        StateError: USAGE when the trials are finished scores.
        UnusableInput: the file cannot be used, or holds other samples.
    """
    from verify_app.services.vector_table import read_vectors

    found, names = read_vectors(path), [sample.name for sample in trial_set.samples]
    if not names:
        raise StateError(ReasonCode.USAGE, "These are scores without samples.", "Load people or files instead.")
    if found.files is not None:
        rows = _named(names, [str(file) for file in found.files])
    elif [str(one) for one in found.subjects] == [sample.subject for sample in trial_set.samples]:
        rows = {name: row for row, name in enumerate(names)}
    else:
        rows = {}
    if not rows:
        raise UnusableInput(
            ReasonCode.TABLE_INVALID,
            f"{path} holds embeddings of other samples than these.",
            "Give “files” with their names, or the same subjects in the same order.",
        )
    vectors = {name: found.vectors[row] for name, row in rows.items()}
    return _with_vectors(trial_set, vectors, found.contract, Path(path).name)


def _named(names: list[str], files: list[str]) -> dict[str, int]:
    """Row of the file of each sample: of the same path, or the only one whose path ends alike."""
    exact = {file: row for row, file in enumerate(files)}
    ends: dict[str, list[int]] = {}
    for row, file in enumerate(files):
        ends.setdefault(_end(file), []).append(row)
    found = {}
    for name in names:
        alike = ends.get(_end(name), [])
        if name in exact or len(alike) == 1:
            found[name] = exact.get(name, alike[0] if alike else -1)
    return found


def _end(file: str) -> str:
    return "/".join(Path(file.replace("\\", "/")).parts[-2:])


def _with_vectors(trial_set: TrialSet, vectors: Mapping[str, FloatArray], contract_id: str, name: str) -> Pair:
    """Score the trials whose samples all have a vector by the cosine of these."""
    from verify_app.matching.references import combine
    from verify_app.matching.similarity import unit

    if trial_set.reference is None or trial_set.probe is None:
        raise StateError(ReasonCode.USAGE, "These are scores without samples.", "Load people or files instead.")
    width = next((len(vector) for vector in vectors.values()), 1)
    rows = np.full((len(trial_set.samples), width), np.nan)
    for place, sample in enumerate(trial_set.samples):
        own = [vectors[file] for file in sample.all_files if file in vectors]
        if len(own) == len(sample.all_files):
            rows[place] = own[0] if len(own) == 1 else combine(np.stack(own))
    there = np.isfinite(rows).all(axis=1)
    kept: NDArray[np.bool_] = there[trial_set.reference] & there[trial_set.probe]
    if not kept.any():
        raise UnusableInput(
            ReasonCode.TRIALS_TOO_FEW, f"{name} has no embedding of these samples.", "Choose another one."
        )
    reference, probe = trial_set.reference[kept], trial_set.probe[kept]
    trials = trial_set.trials.select(kept).require_both_classes()
    first = replace(trial_set, trials=trials, reference=reference, probe=probe)
    whole = unit(np.where(there[:, None], rows, 0.0))
    scores = np.sum(whole[reference] * whole[probe], axis=1)
    second = replace(
        first,
        trials=replace(trials, scores=scores),
        contract_id=contract_id,
        similarity="cosine",
        vectors=whole.astype(np.float32),
        parameters=None,
    )
    return first, second
