"""ONNX sessions: the one place where ONNX Runtime is configured."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verify_app.domain import Contract, FloatArray
from verify_app.encoders.manifest import ModelEntry
from verify_app.reasons import ReasonCode, StateError

CPU = "CPUExecutionProvider"
_INPUTS = {"face-encoder": "tensor(uint8)", "face-landmarks": "tensor(uint8)", "voice-encoder": "tensor(float)"}


class OnnxModel:
    """A network of one input and one output.

    The session opens at the first use, after size and digest of the file have been checked, and may
    then be used from several threads.

    Args:
        entry: the network in the manifest.
        threads: threads of one inference; None leaves it to ONNX Runtime (one per core).
        providers: execution providers in order of preference; None means the processor alone.
    """

    def __init__(self, entry: ModelEntry, threads: int | None = None, providers: Sequence[str] | None = None) -> None:
        self._entry = entry
        self._threads = threads
        self._providers = tuple(providers) if providers else (CPU,)
        self._lock = threading.Lock()
        self._session: Any = None

    @property
    def active_provider(self) -> str:
        """The execution provider that really runs the network, which need not be the one asked for."""
        return str(self._open().get_providers()[0])

    def run(self, batch: NDArray[Any], shape: tuple[int, ...]) -> FloatArray:
        """What the network answers to a batch of n samples: float32 (n, *shape).

        Raises:
            StateError: MODEL_MISSING or MODEL_CORRUPT, also when the network answers with anything
                other than finite numbers of that shape.
        """
        session = self._open()
        try:
            (answers,) = session.run(None, {session.get_inputs()[0].name: batch})
        except Exception as error:  # noqa: BLE001  see _load
            raise self._corrupt(f"it fails on a batch of shape {batch.shape} ({_first_line(error)})") from None
        if answers.shape != (len(batch), *shape) or not np.isfinite(answers).all():
            raise self._corrupt("its answers are not what the manifest promises")
        return np.asarray(answers, np.float32)

    def _open(self) -> Any:
        with self._lock:
            if self._session is None:
                self._session = self._load()
            return self._session

    def _load(self) -> Any:
        content = self._entry.read()
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.use_deterministic_compute = True
        if self._threads is not None:
            options.intra_op_num_threads = self._threads
        # Waiting threads must not spin: the window and the camera need the cores too.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        available = set(onnxruntime.get_available_providers())
        providers = [name for name in self._providers if name in available]
        if CPU not in providers:
            providers.append(CPU)
        try:
            session = onnxruntime.InferenceSession(content, options, providers=providers)
        except Exception as error:  # noqa: BLE001  ONNX Runtime has a dozen error classes without a common base
            raise self._corrupt(f"ONNX Runtime refuses it ({_first_line(error)})") from None
        inputs, outputs = session.get_inputs(), session.get_outputs()
        if len(inputs) != 1 or len(outputs) != 1 or inputs[0].type != _INPUTS.get(self._entry.role):
            raise self._corrupt(f"it does not have the input and output of a {self._entry.role}")
        return session

    def _corrupt(self, what: str) -> StateError:
        return StateError(
            ReasonCode.MODEL_CORRUPT,
            f"The model {self._entry.name} in {self._entry.path} cannot be used: {what}.",
            "Install the application again, or restore the models folder from its source.",
        )


class OnnxEncoder(OnnxModel):
    """An encoder: batches of samples in, embeddings out."""

    @property
    def contract(self) -> Contract:
        """What the embeddings of this encoder are bound to."""
        return self._entry.contract

    def encode(self, batch: NDArray[Any]) -> FloatArray:
        """Embed a batch.

        Args:
            batch: face encoders: uint8 (n, 112, 112, 3), RGB, aligned.
                Voice encoders: float32 (n, samples), 16 kHz mono.

        Returns:
            float32 array (n, dimension); rows of unit norm when the contract says so.

        Raises:
            StateError: MODEL_MISSING or MODEL_CORRUPT, also when the embeddings are not what the
                contract promises.
        """
        contract = self.contract
        if len(batch) == 0:
            return np.empty((0, contract.dimension), np.float32)
        vectors = self.run(batch, (contract.dimension,))
        if contract.normalisation == "l2" and np.abs(np.linalg.norm(vectors, axis=1) - 1).max() > 1e-3:
            raise self._corrupt("its embeddings do not have unit norm")
        return vectors


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
