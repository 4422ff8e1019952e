"""One system of ``bench_peers``, in a process of its own: takes orders on standard input, answers on standard output.

    python bench_peers_worker.py SYSTEM INPUT.npz --threads 1 [--model FILE]

An order is a line of JSON, an answer too: ``{"do": "time", "calls": 5}`` gives wall and processor seconds of so many
calls, ``{"do": "embed", "out": FILE}`` writes a vector for each input, ``{"do": "memory"}`` tells the peak in MB.
Needs only what its system needs, so that each may run in an environment of its own.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

TOP = Path(__file__).resolve().parents[2]
MARGIN = 8
RATE = 16_000
Call = Callable[[Any], Any]


def ours_face(threads: int, _model: Path) -> Call:
    """Aligned crop -> quality, crop and mirror encoded, as the application does it."""
    from verify_app.domain import Modality, Sample
    from verify_app.encoders.manifest import load_manifest
    from verify_app.face.pipeline import FacePipeline

    pipeline = FacePipeline(load_manifest(), threads)

    def call(stored: Any) -> Any:
        sample = Sample(Modality.FACE, np.ascontiguousarray(stored[MARGIN:-MARGIN, MARGIN:-MARGIN]), "crop", "")
        return pipeline.encode(sample, aligned=True, gates=False)[1].vector

    return call


def encoder_face(threads: int, _model: Path) -> Call:
    """Our encoder alone, one crop without its mirror."""
    from verify_app.encoders.manifest import load_manifest
    from verify_app.encoders.session import OnnxEncoder

    encoder = OnnxEncoder(load_manifest().default("face-encoder"), threads)
    return lambda stored: encoder.encode(np.ascontiguousarray(stored[None, MARGIN:-MARGIN, MARGIN:-MARGIN]))[0]


def mobilefacenet(threads: int, model: Path) -> Call:
    """MobileFaceNet in ONNX Runtime, one crop without its mirror; scaling included."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    mean, deviation = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)

    def call(stored: Any) -> Any:
        crop = (stored[MARGIN:-MARGIN, MARGIN:-MARGIN].astype(np.float32) / 255 - mean) / deviation
        return session.run(None, {name: np.ascontiguousarray(crop.transpose(2, 0, 1)[None])})[0][0]

    return call


def face_recognition(_threads: int, _model: Path) -> Call:
    """dlib through face_recognition: the crop at twice its size, the box known (its detector is not asked)."""
    import face_recognition as package
    from PIL import Image

    box = (44, 212, 224, 44)  # top, right, bottom, left: brows to chin of an aligned crop of 256 pixels

    def call(stored: Any) -> Any:
        large = np.asarray(Image.fromarray(stored).resize((256, 256), Image.Resampling.BICUBIC))
        return package.face_encodings(large, known_face_locations=[box], num_jitters=1, model="large")[0]

    return call


def ours_detector(threads: int, _model: Path) -> Call:
    """Our detector as the application asks it: 640 pixels first, other sizes where nothing is found."""
    import cv2

    from verify_app.encoders.manifest import load_manifest
    from verify_app.face.detector import FaceDetector

    cv2.setNumThreads(threads)
    detector = FaceDetector(load_manifest().default("face-detector"))
    return lambda photograph: len(detector.detect(photograph))


def network_detector(threads: int, model: Path) -> Call:
    """A network with the heads of YuNet in OpenCV's ``FaceDetectorYN``, once, at the size of the picture."""
    import cv2

    cv2.setNumThreads(threads)
    detector = cv2.FaceDetectorYN.create(str(model), "", (320, 320), 0.6, 0.3, 200)

    def call(photograph: Any) -> Any:
        detector.setInputSize((photograph.shape[1], photograph.shape[0]))
        found = detector.detect(np.ascontiguousarray(photograph[..., ::-1]))[1]
        return 0 if found is None else len(found)

    return call


def ours_voice(threads: int, _model: Path) -> Call:
    """Speech found, measured, checked for other speakers and encoded, as the application does it; None when refused."""
    from verify_app.domain import Modality, Sample
    from verify_app.encoders.manifest import load_manifest
    from verify_app.reasons import UnusableInput
    from verify_app.voice.pipeline import VoicePipeline

    pipeline = VoicePipeline(load_manifest(), threads)

    def call(sound: Any) -> Any:
        try:
            return pipeline.encode(Sample(Modality.VOICE, sound, "recording", ""), gates=False)[1].vector
        except UnusableInput:
            return None

    return call


def encoder_voice(threads: int, _model: Path) -> Call:
    """Our encoder alone: waveform to embedding."""
    from verify_app.encoders.manifest import load_manifest
    from verify_app.encoders.session import OnnxEncoder

    encoder = OnnxEncoder(load_manifest().default("voice-encoder"), threads)
    return lambda sound: encoder.encode(sound[None] if len(sound) >= RATE else np.resize(sound, RATE)[None])[0]


def resemblyzer(threads: int, _model: Path, trimmed: bool = True) -> Call:
    """Resemblyzer as its page shows it: level, silences cut, windows embedded and averaged."""
    import torch

    torch.set_num_threads(threads)
    from resemblyzer import VoiceEncoder, preprocess_wav

    encoder = VoiceEncoder("cpu", verbose=False)
    return lambda sound: encoder.embed_utterance(preprocess_wav(sound, RATE) if trimmed else sound)


def resemblyzer_network(threads: int, model: Path) -> Call:
    """Resemblyzer's ``embed_utterance`` alone: waveform to embedding."""
    return resemblyzer(threads, model, trimmed=False)


SYSTEMS: dict[str, Callable[[int, Path], Call]] = {
    function.__name__: function
    for function in (
        ours_face, encoder_face, mobilefacenet, face_recognition, ours_detector, network_detector,
        ours_voice, encoder_voice, resemblyzer, resemblyzer_network,
    )
}  # fmt: skip


def embedded(call: Call, given: list[Any]) -> Any:
    """A vector for each input, ``[N, D]``; not-a-numbers where the system refuses one."""
    found = [call(one) for one in given]
    width = next(len(vector) for vector in found if vector is not None)
    return np.stack([np.full(width, np.nan) if vector is None else vector for vector in found]).astype(np.float32)


def inputs(file: Path) -> list[Any]:
    """The arrays of an input file, in order."""
    with np.load(file) as content:
        return [content[f"{number}"] for number in range(len(content.files))]


def peak_megabytes() -> float:
    """The most memory this process ever held; what getrusage says would count the parent's at the start too."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return float("nan")


def timed(call: Call, given: list[Any], start: int, calls: int) -> dict[str, list[float]]:
    """Wall and processor seconds of each of ``calls`` calls, from input ``start`` on."""
    wall, processor = [], []
    for number in range(start, start + calls):
        one = given[number % len(given)]
        began, used = time.perf_counter(), time.process_time()
        call(one)
        processor.append(time.process_time() - used)
        wall.append(time.perf_counter() - began)
    return {"wall": wall, "processor": processor}


def main() -> None:
    """Serve orders until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("system", choices=list(SYSTEMS))
    parser.add_argument("input", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--model", type=Path, default=Path())
    arguments = parser.parse_args()
    sys.path.insert(0, str(TOP))
    answers = sys.stdout
    sys.stdout = sys.stderr  # what a library prints is no answer
    try:
        call = SYSTEMS[arguments.system](arguments.threads, arguments.model)
        given = inputs(arguments.input)
        call(given[0])
        answer: Any = {"ready": True}
    except (ImportError, OSError, SystemExit) as error:
        answer = {"ready": False, "why": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), file=answers, flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        if order["do"] == "time":
            answer = timed(call, given, order["start"], order["calls"])
        elif order["do"] == "embed":
            np.save(order["out"], embedded(call, given))
            answer = {"out": order["out"]}
        else:
            answer = {"megabytes": peak_megabytes()}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
