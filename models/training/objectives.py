"""Training objectives on unit-length embeddings, each a module from a ``Views`` to a scalar loss.

Shapes: ``V`` views of each of ``B`` samples, ``D`` dimensions. A label of -1 means "unlabelled":
labelled objectives skip those samples and return zero when nothing is left to compare.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class Views:
    """What an objective may look at for one batch.

    ``embeddings``: float32 ``[V, B, D]``, unit length, with gradient.
    ``labels``: int64 ``[B]``, class number or -1.
    ``teacher``: float32 ``[B, D]``, unit length, or None without a teacher.
    ``keys``: float32 ``[B, D]`` from the averaged network, unit length, no gradient; only where
    an objective asks for them (``needs_keys``).
    ``frames``: float32 ``[V B, C, T]``, what the network says of each moment of a sample, with gradient; only
    where an objective asks for it (``needs_frames``). ``teacher_frames``: float32 ``[V B, T, F]``, what a teacher
    says of the moments, not a number where it was not asked.
    """

    embeddings: Tensor
    labels: Tensor
    teacher: Tensor | None = None
    keys: Tensor | None = None
    frames: Tensor | None = None
    teacher_frames: Tensor | None = None

    @property
    def shown(self) -> int:
        """How many inputs passed a network for this batch: every view of every sample, and the keys."""
        return self.embeddings.shape[0] * self.embeddings.shape[1] + (0 if self.keys is None else len(self.keys))


class Objective(nn.Module):
    """Base of every objective; subclasses state what they need from a batch."""

    needs_views = 1
    needs_labels = False
    needs_teacher = False
    needs_keys = False
    needs_frames = False

    def forward(self, views: Views) -> Tensor:
        """The loss, a float32 scalar."""
        raise NotImplementedError


def labelled(views: Views) -> tuple[Tensor, Tensor]:
    """All views of the labelled samples: embeddings ``[M, D]`` and labels ``[M]``."""
    known = views.labels >= 0
    kept = views.embeddings[:, known]
    count = kept.shape[0]
    return kept.flatten(0, 1), views.labels[known].repeat(count)


def mated_mask(labels: Tensor) -> Tensor:
    """Boolean ``[M, M]``: the pair shares a label and is not a sample with itself."""
    same = labels[:, None] == labels[None, :]
    return same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)


def nothing(views: Views) -> Tensor:
    """A zero loss that still belongs to the graph."""
    return views.embeddings.sum() * 0.0


class Contrastive(Objective):
    """Pull mated pairs together, push non-mated pairs beyond a margin (Hadsell et al., 2006).

    Distances are Euclidean between unit vectors (0 to 2); mated and non-mated pairs weigh the same.
    """

    needs_labels = True

    def __init__(self, margin: float = 1.2) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, views: Views) -> Tensor:
        vectors, labels = labelled(views)
        mated = mated_mask(labels)
        other = labels[:, None] != labels[None, :]
        if not mated.any() or not other.any():
            return nothing(views)
        squared = (2.0 - 2.0 * vectors @ vectors.T).clamp_min(1e-6)
        near = squared[mated].mean()
        far = (self.margin - squared[other].sqrt()).clamp_min(0.0).square().mean()
        return near + far


class Triplet(Objective):
    """Triplet loss with semi-hard mining inside the batch (Schroff et al., FaceNet, 2015).

    For each mated pair the closest non-mated sample that is still farther than the mate is taken;
    where none is, the farthest non-mated sample stands in.
    """

    needs_labels = True

    def __init__(self, margin: float = 0.2) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, views: Views) -> Tensor:
        vectors, labels = labelled(views)
        anchor, mate = mated_mask(labels).nonzero(as_tuple=True)
        other = labels[:, None] != labels[None, :]
        usable = other[anchor].any(dim=1)
        anchor, mate = anchor[usable], mate[usable]
        if len(anchor) == 0:
            return nothing(views)
        squared = (2.0 - 2.0 * vectors @ vectors.T).clamp_min(0.0)
        near = squared[anchor, mate]
        rows, allowed = squared[anchor], other[anchor]
        semi_hard = rows.masked_fill(~(allowed & (rows > near[:, None])), math.inf).amin(dim=1)
        farthest = rows.masked_fill(~allowed, -math.inf).amax(dim=1)
        far = torch.where(semi_hard.isinf(), farthest, semi_hard)
        return (near - far + self.margin).clamp_min(0.0).mean()


class SupervisedContrastive(Objective):
    """NT-Xent over labels: every mated sample is a target (Khosla et al., 2020, "out" form)."""

    needs_labels = True

    def __init__(self, temperature: float = 0.1) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, views: Views) -> Tensor:
        vectors, labels = labelled(views)
        mated = mated_mask(labels)
        has_mate = mated.any(dim=1)
        if not has_mate.any():
            return nothing(views)
        itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
        logits = (vectors @ vectors.T / self.temperature).masked_fill(itself, -1e9)
        log_share = functional.log_softmax(logits, dim=1)
        per_anchor = (log_share * mated).sum(dim=1) / mated.sum(dim=1).clamp_min(1)
        return -per_anchor[has_mate].mean()


class AdditiveMarginSoftmax(Objective):
    """Classification with an additive cosine margin (Wang et al., 2018; CosFace).

    Holds one centre per class, ``[classes, D]``; ``start_from`` may give them, for example the
    class means of a teacher whose space the student shares.
    """

    needs_labels = True

    def __init__(
        self,
        classes: int,
        dimension: int,
        margin: float = 0.2,
        scale: float = 30.0,
        start_from: Tensor | None = None,
    ) -> None:
        super().__init__()
        first = torch.randn(classes, dimension) if start_from is None else start_from.clone()
        self.centres = nn.Parameter(functional.normalize(first, dim=1))
        self.margin = margin
        self.scale = scale

    def forward(self, views: Views) -> Tensor:
        labels = views.labels.repeat(views.embeddings.shape[0])
        cosine = views.embeddings.flatten(0, 1) @ functional.normalize(self.centres, dim=1).T
        known = labels >= 0
        own = labels.clamp_min(0)[:, None]
        cosine = cosine.scatter_add(1, own, -self.margin * known[:, None].to(cosine.dtype))
        # Every row is computed and the unlabelled ones count for nothing: a GPU need not tell how many they are.
        summed = functional.cross_entropy(self.scale * cosine, labels, ignore_index=-1, reduction="sum")
        return summed / known.sum().clamp_min(1)


class SimCLR(Objective):
    """Two views of a sample recognise each other among the batch, no labels (Chen et al., 2020)."""

    needs_views = 2

    def __init__(self, temperature: float = 0.1) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, views: Views) -> Tensor:
        first, second = views.embeddings[0], views.embeddings[1]
        both = torch.cat([first, second])
        count = len(first)
        itself = torch.eye(2 * count, dtype=torch.bool, device=both.device)
        logits = (both @ both.T / self.temperature).masked_fill(itself, -1e9)
        target = torch.arange(2 * count, device=both.device).roll(count)
        return functional.cross_entropy(logits, target)


class MoCo(Objective):
    """A view recognises its key from the averaged network among a queue (He et al., 2020).

    The queue ``[queue, D]`` holds keys of past batches and is part of the saved state.
    """

    needs_keys = True

    def __init__(self, dimension: int, queue: int = 4096, temperature: float = 0.1) -> None:
        super().__init__()
        self.temperature = temperature
        self.queue: Tensor
        self.register_buffer("queue", functional.normalize(torch.randn(queue, dimension), dim=1))
        self.position = 0

    def forward(self, views: Views) -> Tensor:
        if views.keys is None:
            raise ValueError("MoCo needs keys from the averaged network")
        query, keys = views.embeddings[0], views.keys.detach()
        mate = (query * keys).sum(dim=1, keepdim=True)
        logits = torch.cat([mate, query @ self.queue.clone().T], dim=1) / self.temperature
        target = torch.zeros(len(query), dtype=torch.int64, device=query.device)
        if self.training:
            self._enqueue(keys)
        return functional.cross_entropy(logits, target)

    @torch.no_grad()
    def _enqueue(self, keys: Tensor) -> None:
        size = len(self.queue)
        place = torch.arange(self.position, self.position + len(keys), device=keys.device) % size
        self.queue[place] = keys[:size] if len(keys) > size else keys
        self.position = (self.position + len(keys)) % size

    def get_extra_state(self) -> int:
        """Where the next key goes."""
        return self.position

    def set_extra_state(self, state: int) -> None:
        """Restore what ``get_extra_state`` gave."""
        self.position = int(state)


def teacher_of(views: Views) -> Tensor:
    """The batch's teacher embeddings, or a clear error."""
    if views.teacher is None:
        raise ValueError("distillation needs teacher embeddings; the data source has none")
    return views.teacher


class Distillation(Objective):
    """One minus the cosine between the student and its cached teacher embedding."""

    needs_teacher = True

    def forward(self, views: Views) -> Tensor:
        return 1.0 - (views.embeddings * teacher_of(views)).sum(dim=-1).mean()


class RelationalDistillation(Objective):
    """The student's cosines between samples match the teacher's (after Park et al., 2019).

    Mean squared difference over all pairs of distinct samples, so the student may live in a space
    of its own, even of another dimension.
    """

    needs_teacher = True

    def forward(self, views: Views) -> Tensor:
        teacher = teacher_of(views)
        count = len(teacher)
        wanted = teacher @ teacher.T
        found = torch.matmul(views.embeddings, views.embeddings.transpose(1, 2))
        others = 1.0 - torch.eye(count, device=teacher.device)
        return ((found - wanted) * others).square().sum() / max(len(found) * count * (count - 1), 1)


class ContrastiveDistillation(Objective):
    """The student finds its own teacher embedding among the batch's (after Tian et al., 2020)."""

    needs_teacher = True

    def __init__(self, temperature: float = 0.1) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, views: Views) -> Tensor:
        teacher = teacher_of(views)
        student = views.embeddings.flatten(0, 1)
        target = torch.arange(len(teacher), device=teacher.device)
        target = target.repeat(views.embeddings.shape[0])
        return functional.cross_entropy(student @ teacher.T / self.temperature, target)


class FrameDistillation(Objective):
    """From its inner state at each moment the student can tell what a teacher says of it (Romero et al., 2015).

    A linear reader of ``channels`` foretells ``features`` numbers; the loss is their mean squared error. One target
    every 40 ms cannot be learned by heart as one target a clip can.
    """

    needs_frames = True

    def __init__(self, channels: int = 384, features: int = 96) -> None:
        super().__init__()
        self.reader = nn.Linear(channels, features)

    def forward(self, views: Views) -> Tensor:
        if views.frames is None or views.teacher_frames is None:
            raise ValueError("frame_distillation needs a task with `frames` and a network over time")
        wanted = views.teacher_frames
        moments = min(views.frames.shape[2], wanted.shape[1])
        wanted = wanted[:, :moments]
        told = self.reader(views.frames[:, :, :moments].transpose(1, 2))
        known = wanted.isfinite()
        error = (told - wanted.nan_to_num()).square() * known
        return error.sum() / known.sum().clamp_min(1)


OBJECTIVES: dict[str, type[Objective]] = {
    "contrastive": Contrastive,
    "triplet": Triplet,
    "supervised_contrastive": SupervisedContrastive,
    "am_softmax": AdditiveMarginSoftmax,
    "simclr": SimCLR,
    "moco": MoCo,
    "distillation": Distillation,
    "relational_distillation": RelationalDistillation,
    "contrastive_distillation": ContrastiveDistillation,
    "frame_distillation": FrameDistillation,
}
"""Objectives by the name used in a configuration."""


class Combination(nn.Module):
    """A weighted sum of objectives; the weights may change between stages of a training."""

    def __init__(self, parts: dict[str, Objective]) -> None:
        super().__init__()
        self.parts = nn.ModuleDict(parts)

    def forward(self, views: Views, weights: dict[str, float]) -> tuple[Tensor, dict[str, Tensor]]:
        """The weighted loss and each part's own value, detached; parts of weight zero are not computed."""
        total = views.embeddings.new_zeros(())
        values: dict[str, Tensor] = {}
        for name, weight in weights.items():
            if weight != 0.0:
                value = self.parts[name](views)
                total = total + weight * value
                values[name] = value.detach()
        return total, values


def build(
    options: dict[str, dict[str, Any]],
    *,
    classes: int,
    dimension: int,
    class_means: Tensor | None = None,
) -> Combination:
    """The objectives named in ``options`` with their settings.

    ``class_means`` are where the centres of ``am_softmax`` begin, unless it says ``centres = "random"``.
    Raises ValueError for a name that is not in ``OBJECTIVES`` or a setting it does not take.
    """
    parts: dict[str, Objective] = {}
    for name, given in options.items():
        if name not in OBJECTIVES:
            raise ValueError(f"unknown objective {name!r}; choose from {', '.join(OBJECTIVES)}")
        settings: dict[str, Any] = dict(given)
        if name == "am_softmax":
            random = settings.pop("centres", "teacher") == "random"
            settings |= {"classes": classes, "dimension": dimension, "start_from": None if random else class_means}
        if name == "moco":
            settings |= {"dimension": dimension}
        try:
            parts[name] = OBJECTIVES[name](**settings)
        except TypeError as error:
            raise ValueError(f"objective {name!r}: {error}") from None
    return Combination(parts)
