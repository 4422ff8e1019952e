"""Which training samples make the next batch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class Sampler:
    """Draws batches without replacement until every sample was seen, then shuffles again.

    With ``mates`` > 1 a batch holds that many samples of each of ``batch / mates`` random classes.
    The state can be saved and restored, so a resumed training draws what the whole one would have.
    """

    def __init__(self, labels: Tensor, seed: int) -> None:
        self.count = len(labels)
        self.generator = torch.Generator().manual_seed(seed)
        self.order = torch.empty(0, dtype=torch.int64)
        self.epochs = 0
        self._ranked = torch.argsort(labels, stable=True)
        ordered = labels[self._ranked]
        self._classes, self._sizes = torch.unique_consecutive(ordered, return_counts=True)
        self._starts = torch.cumsum(self._sizes, 0) - self._sizes

    def draw(self, batch: int, mates: int = 1) -> Tensor:
        """int64 ``[batch]`` places in the training set."""
        return self._by_class(batch // mates, mates) if mates > 1 else self._plain(batch)

    def _plain(self, batch: int) -> Tensor:
        batch = min(batch, self.count)
        if len(self.order) < batch:
            self.order = torch.randperm(self.count, generator=self.generator)
            self.epochs += 1
        drawn, self.order = self.order[:batch], self.order[batch:]
        return drawn

    def _by_class(self, classes: int, mates: int) -> Tensor:
        usable = ((self._classes >= 0) & (self._sizes >= 2)).nonzero().flatten()
        if len(usable) == 0:
            raise ValueError("`mates` > 1 needs labelled classes of at least two samples")
        picked = usable[torch.randperm(len(usable), generator=self.generator)[:classes]]
        drawn = []
        for number in picked.tolist():
            order = torch.randperm(int(self._sizes[number]), generator=self.generator)[:mates]
            drawn.append(self._ranked[int(self._starts[number]) + order])
        return torch.cat(drawn)

    def state(self) -> dict[str, Any]:
        """What ``restore`` needs to go on exactly here."""
        return {"generator": self.generator.get_state(), "order": self.order, "epochs": self.epochs}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a saved ``state``."""
        self.generator.set_state(state["generator"])
        self.order = state["order"]
        self.epochs = int(state["epochs"])
