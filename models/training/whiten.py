"""Partial whitening of embeddings, folded into a trained encoder's last layer.

The embeddings of many crops spread more along some directions than along others. Full whitening, ``C ** -0.5`` with
their covariance ``C``, would make all directions count alike, noise too; a small power evens them out a little (compare
Jégou and Chum, 2012). The shipped projection becomes ``P (A x + b)`` with ``P = (C / mean variance) ** -power``, so the
graph costs nothing more. Of several files the weights are averaged first (stochastic weight averaging, Izmailov et al.,
2018): moments of one training lie in one valley, and its middle knows strangers better than its end.

``python -m models.training.whiten models/training/face.toml --out encoder.onnx``, or with ``voice.toml``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn


def partial_whitening(vectors: Tensor, power: float) -> Tensor:
    """``P`` ``[D, D]`` from unit-length ``vectors`` ``[N, D]``.

    ``power`` 0..0.5: 0 changes nothing, 0.5 whitens fully. Raises ValueError outside, or with fewer vectors than
    directions.
    """
    if not 0.0 <= power <= 0.5:
        raise ValueError(f"the power must lie between 0 and 0.5, not {power}")
    if len(vectors) <= vectors.shape[1]:
        raise ValueError(f"{len(vectors)} vectors say too little of {vectors.shape[1]} directions")
    values, axes = torch.linalg.eigh(torch.cov(vectors.double().T))
    scaled = (values / values.mean()).clamp_min(1e-6)
    whitening: Tensor = axes @ torch.diag(scaled**-power) @ axes.T
    return whitening.float()


@torch.no_grad()
def fold(projection: nn.Linear, whitening: Tensor) -> None:
    """Replace ``A x + b`` by ``P (A x + b)`` in place."""
    projection.weight.copy_(whitening @ projection.weight)
    projection.bias.copy_(whitening @ projection.bias)


def averaged(files: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of the same weights at several moments of one training."""
    return {name: torch.stack([weights[name].float() for weights in files]).mean(0) for name in files[0]}


def main() -> None:
    """Command line."""
    from models.training import backbones
    from models.training.config import load
    from models.training.prepare_faces import default_cache
    from models.training.train import TASKS, read_weights

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("configuration", type=Path)
    parser.add_argument(
        "--weights",
        type=Path,
        nargs="+",
        help="checkpoint.pt or model.onnx; several are averaged; default: the configuration's own",
    )
    parser.add_argument("--power", type=float, default=0.1)
    parser.add_argument("--samples", type=int, default=7000)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    experiment = load(arguments.configuration)
    files = arguments.weights or [default_cache() / "runs" / experiment.name / "checkpoint.pt"]
    torch.set_num_threads(experiment.threads)
    task, device = TASKS[experiment.task](experiment.data, experiment.augmentation), torch.device("cpu")
    encoder = backbones.build(experiment.backbone).eval()
    encoder.load_state_dict(averaged([read_weights(file) for file in files]), strict=False)
    size = experiment.stage[-1].size
    print("before", task.evaluate(encoder, device, 0, size), flush=True)
    projection = getattr(encoder, "projection", getattr(encoder, "project", None))
    if not isinstance(projection, nn.Linear):
        parser.exit(2, f"{parser.prog}: this backbone has no linear projection to fold into\n")
    vectors = task.clean_embeddings(encoder, device, arguments.samples, experiment.seed)
    fold(projection, partial_whitening(vectors, arguments.power))
    print("after", task.evaluate(encoder, device, 0, size), flush=True)
    task.export(encoder, arguments.out, size)


if __name__ == "__main__":
    main()
