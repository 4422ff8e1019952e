"""What a modality brings to the trainer: data, degradations, evaluation and export.

The loop (``loop.py``), the objectives and the schedule know nothing of faces or voices. A new
modality implements ``Task`` and adds one line to ``TASKS`` in ``train.py``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional


def class_means(teacher: Tensor, labels: Tensor, classes: int) -> Tensor | None:
    """Unit-length mean of the teacher's embeddings ``[N, D]`` per class, ``[classes, D]``; None without classes.

    ``labels`` is int64 ``[N]``, -1 where unlabelled.
    """
    if classes == 0:
        return None
    known = labels >= 0
    sums = torch.zeros(classes, teacher.shape[1]).index_add_(0, labels[known], teacher[known])
    return functional.normalize(sums, dim=1)


class Task(Protocol):
    """Training data and everything that depends on the modality."""

    labels: Tensor
    """int64 ``[N]``: class of every training sample, -1 where unlabelled."""

    teacher: Tensor | None
    """float32 ``[N, D]``: unit-length teacher embedding of every training sample, or None."""

    classes: int
    """Number of labelled classes."""

    def inputs(self, places: Tensor, size: int, device: torch.device) -> Tensor:
        """Freshly degraded network inputs for the training samples at ``places`` (int64 ``[B]``).

        ``size`` is the stage's ``size``: pixels for faces, whatever the task chooses otherwise.
        """
        ...

    teacher_frames: Tensor | None
    """float32 ``[B, T, F]``: what a teacher says of each moment of the inputs last made, or None."""

    dev_teacher: NDArray[np.float32] | None
    """float32 ``[N, D]``: the teacher's embeddings of the development samples, or None."""

    def clean_embeddings(self, encoder: nn.Module, device: torch.device, count: int, seed: int) -> Tensor:
        """Unit-length embeddings ``[M, D]``, M at most ``count``, of real, clean training samples drawn by chance."""
        ...

    def development(
        self, encoder: nn.Module, device: torch.device, size: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Unit-length embeddings ``[N, D]`` and subject numbers ``[N]`` of the development split."""
        ...

    def evaluate(self, encoder: nn.Module, device: torch.device, rounds: int, size: int) -> dict[str, Any]:
        """Error rates on the development split; ``rounds`` > 0 adds bootstrap intervals.

        ``size`` is that of the stage in force: a network is judged at the size it is trained at.
        """
        ...

    def export(self, encoder: nn.Module, path: Path, size: int) -> None:
        """Write the ONNX file, atomically; its graph brings inputs to ``size`` where that matters."""
        ...
