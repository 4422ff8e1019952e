"""Write the int8 variant of a face encoder that ``export.py`` wrote: ``python -m models.training.quantise IN OUT``.

Convolutions, which are nearly all of the work, run on 8-bit integers, with one scale per output channel, their
inputs scaled by what calibration crops of the training split show. Weights keep to seven bits: processors without
8-bit dot products add two products in 16 bits, which eight-bit weights would overflow.
"""

from __future__ import annotations

import argparse
import tempfile
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


def quantise(source: Path, target: Path, crops: NDArray[np.uint8], notes: dict[str, str] | None = None) -> None:
    """Write an int8 (quantise-dequantise nodes, per channel) variant calibrated on ``crops`` ``[N, 112, 112, 3]``."""
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Crops(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.pieces = iter([crops[n : n + 8] for n in range(0, len(crops), 8)])

        def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
            piece = next(self.pieces, None)
            return None if piece is None else {"image": piece}

    with tempfile.TemporaryDirectory() as folder:
        merged, narrow = Path(folder) / "merged.onnx", Path(folder) / "int8.onnx"
        quant_pre_process(str(source), str(merged), skip_symbolic_shape=True)
        quantize_static(
            str(merged),
            str(narrow),
            Crops(),
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["Conv"],
        )
        model: Any = onnx.load(str(narrow))
    del model.metadata_props[:]
    for key, value in (notes or {}).items():
        note = model.metadata_props.add()
        note.key, note.value = key, value
    halve_weights(model)
    onnx.checker.check_model(model)
    partial = target.with_suffix(".partial")
    onnx.save(model, str(partial))
    partial.rename(target)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("source", type=Path, help="the encoder with float weights")
    parser.add_argument("target", type=Path, help="where the int8 encoder goes")
    parser.add_argument("--pack", type=Path, default=Path("../shared/data/faces"))
    parser.add_argument("--cache", type=Path, default=default_cache())
    arguments = parser.parse_args()
    quantise(arguments.source, arguments.target, calibration_crops(arguments.pack, arguments.cache))
    print(f"wrote {arguments.target}, {arguments.target.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
