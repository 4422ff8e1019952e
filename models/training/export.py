"""Write a trained encoder as one self-contained ONNX file.

Pre-processing and the final L2 normalisation are part of the graph, so training and run time cannot
drift apart. Every parameter keeps the name it has in training (batch normalisation is a node of its own, which
ONNX Runtime merges into its convolution when it loads the file), so a later training can start from
the shipped file. Weights may be stored as float16 (half the file) and are widened by ``Cast`` nodes; the
arithmetic stays float32 and ONNX Runtime folds the casts when it loads the file.
"""

from __future__ import annotations

import copy
import json
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.training.backbones import ResidualEncoder

TWINS = "equal_parameters"
"""Key of the note that names parameters stored once because they are equal."""


class FaceGraph(nn.Module):
    """uint8 ``[N, 112, 112, 3]`` RGB to unit-length float32 ``[N, D]``.

    An encoder trained so far only at a smaller ``size`` gets its crops shrunk inside the graph.
    """

    def __init__(self, encoder: nn.Module, size: int = 112) -> None:
        super().__init__()
        self.encoder, self.size = encoder, size

    def forward(self, image: Tensor) -> Tensor:
        """Embed aligned crops."""
        pixels = image.permute(0, 3, 1, 2).to(torch.float32)
        if self.size != 112:
            pixels = functional.interpolate(pixels, (self.size, self.size), mode="bilinear")
        return functional.normalize(self.encoder(pixels), dim=1)


def halve_weights(model: Any, smallest: int = 512) -> None:
    """Store float32 initialisers of at least ``smallest`` numbers as float16 plus a ``Cast``."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for tensor in list(model.graph.initializer):
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < smallest:
            continue
        name = tensor.name
        narrow = numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), name + "_half")
        model.graph.initializer.remove(tensor)
        model.graph.initializer.append(narrow)
        casts.append(helper.make_node("Cast", [narrow.name], [name], to=TensorProto.FLOAT))
    for cast in reversed(casts):
        model.graph.node.insert(0, cast)


def write_onnx(
    graph: nn.Module,
    example: Tensor,
    path: Path,
    *,
    input_name: str,
    dynamic: dict[int, str],
    half: bool = True,
    notes: dict[str, str] | None = None,
) -> None:
    """Export ``graph`` with one input and the output ``embedding``.

    ``dynamic`` names the free input axes (axis 0, the batch, is free in the output too). The file is
    written beside ``path`` and renamed, so a reader never sees half of it.
    """
    import onnx

    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    graph.eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            graph,
            (example,),
            str(partial),
            input_names=[input_name],
            output_names=["embedding"],
            dynamic_axes={input_name: dynamic, "embedding": {0: dynamic[0]}},
            opset_version=17,
            dynamo=False,
            training=torch.onnx.TrainingMode.PRESERVE,
            do_constant_folding=False,
        )
    model = onnx.load(str(partial))
    twins = twins_of(graph, {tensor.name for tensor in model.graph.initializer})
    if half:
        halve_weights(model)
    for key, value in {**(notes or {}), TWINS: json.dumps(twins)}.items():
        note = model.metadata_props.add()
        note.key, note.value = key, value
    onnx.checker.check_model(model)
    onnx.save(model, str(partial))
    partial.rename(path)


def twins_of(graph: nn.Module, stored: set[str]) -> dict[str, str]:
    """Parameters that the exporter left out because a ``stored`` one is equal, each with its twin's name."""
    own = {name: value for name, value in graph.state_dict().items() if value.dtype.is_floating_point}
    twins = {}
    for name in own.keys() - stored:
        equal = (other for other in sorted(own.keys() & stored) if torch.equal(own[other], own[name]))
        if (twin := next(equal, None)) is not None:
            twins[name] = twin
    return twins


def weights_of(path: Path) -> dict[str, Tensor]:
    """Encoder parameters by name out of a file that ``write_onnx`` wrote."""
    import numpy as np
    import onnx
    from onnx import numpy_helper

    model = onnx.load(str(path))
    found = {}
    for tensor in model.graph.initializer:
        name = tensor.name.removesuffix("_half").removeprefix("encoder.")
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float16:
            values = values.astype(np.float32)
        found[name] = torch.from_numpy(values.copy())
    for note in model.metadata_props:
        if note.key == TWINS:
            pairs = json.loads(note.value).items()
            found |= {name.removeprefix("encoder."): found[twin.removeprefix("encoder.")] for name, twin in pairs}
    return found


def export_face(encoder: nn.Module, path: Path, *, size: int = 112, half: bool = True) -> None:
    """Write a face encoder: input ``image``, output ``embedding``."""
    if size != 112 and isinstance(encoder, ResidualEncoder):
        encoder = copy.deepcopy(encoder)
        encoder.fix_size(size)
    example = torch.zeros(2, 112, 112, 3, dtype=torch.uint8)
    write_onnx(FaceGraph(encoder, size), example, path, input_name="image", dynamic={0: "samples"}, half=half)
