"""Write the int8 voice encoder that ships: ``python -m models.training.voices_quantise trained.onnx model.onnx``.

Convolutions run on 8-bit integers, one scale per output channel, their inputs scaled by what training clips show.
The Fourier transform of the front end keeps floats: a spectrum spans more than 8 bits. Weights keep to seven bits:
processors without 8-bit dot products add two products in 16 bits, which eight-bit weights would overflow.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.training.export import halve_weights
from models.training.faces_precision import widen
from models.training.prepare_voices import RATE, default_cache
from models.training.voices import Recordings, held_out_speakers


def training_clips(cache: Path, count: int = 120, seconds: int = 3) -> NDArray[np.float32]:
    """``count`` stretches ``[count, T]`` of named training speakers."""
    pack = Recordings(cache, "voices", "resemblyzer")
    index, samples = pack.index, seconds * RATE
    outside = np.isin(index["speaker"], list(held_out_speakers(index)))
    rows = np.flatnonzero((index["split"] == "train") & (index["length"] > samples) & ~outside)
    chosen = np.random.default_rng(0).choice(rows, count, replace=False)
    return np.stack([pack.clip(int(row))[:samples] for row in chosen]).astype(np.float32) / 32768


def quantise(source: Path, target: Path, clips: NDArray[np.float32]) -> None:
    """Write an int8 (quantise-dequantise nodes) variant of a file of ``export_voice``, calibrated on ``clips``."""
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Clips(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left = iter(clips)

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            clip = next(self.left, None)
            return None if clip is None else {"waveform": clip[None]}

    with tempfile.TemporaryDirectory() as folder:
        wide, merged, narrow = (Path(folder) / f"{name}.onnx" for name in ("wide", "merged", "narrow"))
        widen(source, wide)
        quant_pre_process(str(wide), str(merged), skip_symbolic_shape=True)
        nodes = onnx.load(str(merged)).graph.node
        quantize_static(
            str(merged),
            str(narrow),
            Clips(),
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=[node.name for node in nodes if "front_end" in node.name],
        )
        model: Any = onnx.load(str(narrow))
    del model.metadata_props[:]
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
    parser.add_argument("--cache", type=Path, default=default_cache())
    arguments = parser.parse_args()
    quantise(arguments.source, arguments.target, training_clips(arguments.cache))
    print(f"wrote {arguments.target}, {arguments.target.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
