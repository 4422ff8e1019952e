"""Fold within-class whitening into a trained encoder's last layer (WCCN; Hatch et al., 2006).

Directions in which crops of one person differ most (light, pose, age) count less afterwards. The
within-class covariance ``W`` comes from labelled training samples; the shipped projection becomes
``P (A x + b)`` with ``P = ((1 - s) W / mean variance + s I) ** -1/2``, so the graph costs nothing more.

``python -m models.training.whiten models/training/face.toml --out encoder.onnx`` does it for faces.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor, nn


def within_class_whitening(vectors: Tensor, labels: Tensor, shrinkage: float) -> Tensor:
    """``P`` ``[D, D]`` from unit-length ``vectors`` ``[N, D]`` and class numbers ``labels`` ``[N]``.

    ``shrinkage`` 0..1 mixes in the identity; 1 changes nothing. Classes of one sample are left out.
    Raises ValueError when no class has two samples or ``shrinkage`` is outside 0..1.
    """
    if not 0.0 <= shrinkage <= 1.0:
        raise ValueError(f"shrinkage must lie between 0 and 1, not {shrinkage}")
    counts = torch.bincount(labels)
    kept = counts[labels] >= 2
    vectors, labels = vectors[kept].double(), labels[kept]
    degrees = len(labels) - int((counts >= 2).sum())
    if degrees <= 0:
        raise ValueError("whitening needs classes of at least two samples")
    sums = torch.zeros(len(counts), vectors.shape[1], dtype=torch.float64).index_add_(0, labels, vectors)
    apart = vectors - (sums / counts.clamp_min(1)[:, None])[labels]
    scatter = apart.T @ apart / degrees
    mean_variance = scatter.diagonal().mean()
    mixed = (1.0 - shrinkage) * scatter / mean_variance + shrinkage * torch.eye(len(scatter), dtype=torch.float64)
    values, axes = torch.linalg.eigh(mixed)
    whitening: Tensor = axes @ torch.diag(values.rsqrt()) @ axes.T
    return whitening.float()


@torch.no_grad()
def fold(projection: nn.Linear, whitening: Tensor) -> None:
    """Replace ``A x + b`` by ``P (A x + b)`` in place."""
    projection.weight.copy_(whitening @ projection.weight)
    projection.bias.copy_(whitening @ projection.bias)


def main() -> None:
    """Command line."""
    from models.training import backbones
    from models.training.config import load
    from models.training.faces import FaceTask
    from models.training.prepare_faces import default_cache
    from models.training.train import read_weights

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("configuration", type=Path)
    parser.add_argument("--checkpoint", type=Path, help="default: that of the configuration")
    parser.add_argument("--shrinkage", type=float, default=0.5)
    parser.add_argument("--samples", type=int, default=7000)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    experiment = load(arguments.configuration)
    checkpoint = arguments.checkpoint or default_cache() / "runs" / experiment.name / "checkpoint.pt"
    torch.set_num_threads(experiment.threads)
    task, device = FaceTask(experiment.data, experiment.augmentation), torch.device("cpu")
    encoder = backbones.build(experiment.backbone).eval()
    encoder.load_state_dict(read_weights(checkpoint))
    print("before", task.evaluate(encoder, device), flush=True)
    counts = torch.bincount(task.labels.clamp_min(0), minlength=task.classes)
    usable = ((task.labels >= 0) & (counts[task.labels.clamp_min(0)] >= 4)).nonzero().flatten()
    order = torch.randperm(len(usable), generator=torch.Generator().manual_seed(experiment.seed))
    drawn = usable[order[: arguments.samples]].sort().values
    vectors = task.embed(encoder, task.rows[drawn.numpy()], device)
    projection = encoder.project
    if not isinstance(projection, nn.Linear):
        parser.exit(2, f"{parser.prog}: this backbone has no linear projection to fold into\n")
    fold(projection, within_class_whitening(vectors, task.labels[drawn], arguments.shrinkage))
    print("after", task.evaluate(encoder, device), flush=True)
    task.export(encoder, arguments.out)


if __name__ == "__main__":
    main()
