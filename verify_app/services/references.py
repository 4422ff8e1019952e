"""The stored references of a person, and the refusal when another encoder made them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from verify_app.domain import FloatArray, Modality
from verify_app.reasons import ReasonCode, StateError
from verify_app.services.application import Application
from verify_app.services.storage import store_errors

if TYPE_CHECKING:
    from enrollment_db import Person


def references_of(app: Application, person: Person, modality: Modality) -> FloatArray:
    """The templates of a person under the present contract, float32 [n, d].

    Raises:
        StateError: NOT_ENROLLED when there is none, CONTRACT_MISMATCH when there are only those of another encoder.
    """
    contract = app.contract(modality)
    with store_errors():
        templates = app.store.templates(contract.id, person.id)
        if templates:
            return np.stack([np.frombuffer(template.vector, "<f4") for template in templates])
        others = any(sample.modality == modality.value for sample in app.store.samples(person.id))
    if others:
        raise StateError(
            ReasonCode.CONTRACT_MISMATCH,
            f"The {modality} templates of {person.name} were made by another encoder than the one in use, "
            "and the two cannot be compared.",
            f'Enrol again: verify-app enroll "{person.name}" FILE…',
        )
    raise StateError(
        ReasonCode.NOT_ENROLLED,
        f"{person.name} is not enrolled by {modality}.",
        f'Add a {modality} sample: verify-app enroll "{person.name}" FILE',
    )
