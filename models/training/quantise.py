"""The int8 variant of an encoder that ``export.py`` wrote; faces: ``python -m models.training.quantise IN OUT``.

Convolutions, which are nearly all of the work, run on 8-bit integers, with one scale per output channel, their
inputs scaled by what samples of the training split show. Weights keep to seven bits: processors without
8-bit dot products add two products in 16 bits, which eight-bit weights would overflow.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.training.export import halve_weights
from models.training.prepare_faces import CROP, MARGIN, default_cache, read_index

CALIBRATION_CROPS = 400


def calibration_crops(pack: Path, cache: Path, count: int = CALIBRATION_CROPS) -> NDArray[np.uint8]:
    """``count`` aligned crops ``[count, 112, 112, 3]`` spread over the training split."""
    rows = [number for number, row in enumerate(read_index(pack)) if row["split"] == "train"]
    chosen = np.array(rows)[np.linspace(0, len(rows) - 1, count).astype(np.int64)]
    inner = slice(MARGIN, CROP - MARGIN)
    crops: NDArray[np.uint8] = np.load(cache / "faces.npy", mmap_mode="r")[chosen][:, inner, inner]
    return np.ascontiguousarray(crops)


def quantise(
    source: Path, target: Path, samples: Iterable[dict[str, NDArray[Any]]], keep_float: str | None = None
) -> None:
    """Write an int8 (quantise-dequantise nodes, per channel) variant of a float encoder.

    ``samples`` are inputs by name, which show the range of every map; nodes with ``keep_float`` in their names stay
    float.
    """
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left = iter(samples)

        def get_next(self) -> dict[str, NDArray[Any]] | None:
            return next(self.left, None)

    with tempfile.TemporaryDirectory() as folder:
        merged, narrow = Path(folder) / "merged.onnx", Path(folder) / "int8.onnx"
        quant_pre_process(str(source), str(merged), skip_symbolic_shape=True)
        names = [node.name for node in onnx.load(str(merged)).graph.node]
        quantize_static(
            str(merged),
            str(narrow),
            Reader(),
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=[name for name in names if keep_float is not None and keep_float in name],
        )
        model: Any = onnx.load(str(narrow))
    del model.metadata_props[:]
    halve_weights(model)
    onnx.checker.check_model(model)
    partial = target.with_suffix(".partial")
    onnx.save(model, str(partial))
    partial.rename(target)


def crop_samples(crops: NDArray[np.uint8]) -> list[dict[str, NDArray[Any]]]:
    """Aligned crops ``[N, 112, 112, 3]`` as inputs of a face encoder, eight at a time."""
    return [{"image": crops[start : start + 8]} for start in range(0, len(crops), 8)]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("source", type=Path, help="the encoder with float weights")
    parser.add_argument("target", type=Path, help="where the int8 encoder goes")
    parser.add_argument("--pack", type=Path, default=Path("../shared/data/faces"))
    parser.add_argument("--cache", type=Path, default=default_cache())
    arguments = parser.parse_args()
    crops = calibration_crops(arguments.pack, arguments.cache)
    quantise(arguments.source, arguments.target, crop_samples(crops))
    print(f"wrote {arguments.target}, {arguments.target.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
