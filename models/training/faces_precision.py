"""Compare storage and arithmetic precisions of a face encoder: file size, speed, error rate.

``python -m models.training.faces_precision`` builds three variants of the trained file in a temporary
folder (float32 storage, float16 storage, int8 arithmetic calibrated on training crops) and
measures each on the development crops.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from models.training.evaluate import all_pairs, rates
from models.training.faces_report import encoder, inner, median_ms, session
from models.training.prepare_faces import default_cache, read_index
from models.training.quantise import calibration_crops, crop_samples, quantise


def widen(source: Path, target: Path) -> None:
    """Write ``source`` with every float16 initialiser widened to float32 and its ``Cast`` removed."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load(str(source))
    narrow = {tensor.name: tensor for tensor in model.graph.initializer if tensor.name.endswith("_half")}
    for node in list(model.graph.node):
        if node.op_type == "Cast" and node.input[0] in narrow:
            tensor = narrow[node.input[0]]
            wide = numpy_helper.to_array(tensor).astype(np.float32)
            model.graph.initializer.append(numpy_helper.from_array(wide, node.output[0]))
            model.graph.initializer.remove(tensor)
            model.graph.node.remove(node)
    onnx.save(model, str(target))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", type=Path, default=Path("models/training/weights/face-encoder.onnx"))
    parser.add_argument("--pack", type=Path, default=Path("../shared/data/faces"))
    parser.add_argument("--cache", type=Path, default=default_cache())
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    rows = read_index(arguments.pack)
    crops = np.load(arguments.cache / "faces.npy", mmap_mode="r")
    dev = np.array([n for n, row in enumerate(rows) if row["split"] == "dev"])
    subjects = np.unique([rows[n]["identity"] for n in dev], return_inverse=True)[1].astype(np.int64)
    images = inner(np.asarray(crops[dev]))
    with tempfile.TemporaryDirectory() as folder:
        full, int8 = Path(folder) / "float32.onnx", Path(folder) / "int8.onnx"
        widen(arguments.model, full)
        quantise(full, int8, crop_samples(calibration_crops(arguments.pack, arguments.cache)))
        variants = {"float32": full, "float16 storage": arguments.model, "int8": int8}
        sessions = {name: session(path, arguments.threads) for name, path in variants.items()}
        times: dict[str, list[float]] = {name: [] for name in variants}
        for _ in range(5):  # in turns, so that a busy moment strikes all alike
            for name, network in sessions.items():

                def once(network: object = network) -> object:
                    return network.run(None, {"image": images[:1]})  # type: ignore[attr-defined]

                times[name].append(median_ms(once, 40))
        for name, path in variants.items():
            found = rates(all_pairs(encoder(path)(images), subjects))
            size = path.stat().st_size / 1e6
            print(f"| {name} | {size:.2f} MB | {np.median(times[name]):.2f} ms | {found['eer']:.2%} |", flush=True)


if __name__ == "__main__":
    main()
