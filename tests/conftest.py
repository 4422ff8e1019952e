"""What several tests share: models, pictures and recordings; everything is made here or real."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

from verify_app.resources import models_root

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED = REPOSITORY.parent / "shared"
REQUIRE_SHARED = "VERIFY_APP_REQUIRE_SHARED"

# A busy machine is no reason to fail.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tests of the development data are skipped without it, or fail where it is required."""
    if item.get_closest_marker("shared_data") is None or (SHARED / "data").is_dir():
        return
    reason = f"needs the development data in {SHARED / 'data'}"
    if os.environ.get(REQUIRE_SHARED) == "1":
        pytest.fail(f"{REQUIRE_SHARED}=1: {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session", autouse=True)
def _no_keyring_but_the_tests_own() -> None:
    """Tests never touch this account's keyring, nor pick up a backend that another test defines."""
    import keyring
    import keyring.backends.fail

    keyring.set_keyring(keyring.backends.fail.Keyring())


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of development data; use it together with the marker ``shared_data``."""
    return SHARED / "data"


@pytest.fixture(scope="session")
def repository() -> Path:
    """The top folder of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shipped_models() -> Path:
    """The models folder of the application, with the networks in it."""
    folder = models_root()
    if not (folder / "manifest.toml").is_file():
        pytest.skip(f"there are no models in {folder}; they are built with models/training")
    return folder


def _network(nodes: list[Any], inputs: Any, dimension: int, weights: dict[str, np.ndarray[Any, Any]]) -> bytes:
    from onnx import TensorProto, checker, helper, numpy_helper

    graph = helper.make_graph(
        nodes,
        "tiny",
        [inputs],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", dimension])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    checker.check_model(model)
    return bytes(model.SerializeToString())


def _tiny_face_encoder(dimension: int) -> bytes:
    """Mean colours of 7 × 7 fields, projected at random."""
    from onnx import TensorProto, helper

    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["pixels"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("AveragePool", ["planes"], ["fields"], kernel_shape=[16, 16], strides=[16, 16]),
        helper.make_node("Flatten", ["fields"], ["flat"]),
        helper.make_node("MatMul", ["flat", "projection"], ["vector"]),
        helper.make_node("LpNormalization", ["vector"], ["embedding"], axis=1, p=2),
    ]
    weights = {"projection": np.random.default_rng(1).normal(size=(147, dimension)).astype(np.float32)}
    inputs = helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", 112, 112, 3])
    return _network(nodes, inputs, dimension, weights)


def _tiny_voice_encoder(dimension: int) -> bytes:
    """Log energies in forty bands less their mean, averaged over time, projected at random."""
    from onnx import TensorProto, helper

    phase = 2 * np.pi * np.linspace(100, 4000, 40)[:, None] * np.arange(400) / 16_000
    waves = np.concatenate([np.cos(phase), np.sin(phase)]) * np.hanning(400)
    nodes = [
        helper.make_node("Unsqueeze", ["waveform", "one"], ["signal"]),
        helper.make_node("Conv", ["signal", "waves"], ["bands"], strides=[160]),
        helper.make_node("Mul", ["bands", "bands"], ["power"]),
        helper.make_node("Add", ["power", "floor"], ["raised"]),
        helper.make_node("Log", ["raised"], ["levels"]),
        helper.make_node("ReduceMean", ["levels"], ["mean"], axes=[1, 2], keepdims=1),
        helper.make_node("Sub", ["levels", "mean"], ["centred"]),
        helper.make_node("ReduceMean", ["centred"], ["profile"], axes=[2], keepdims=0),
        helper.make_node("MatMul", ["profile", "projection"], ["vector"]),
        helper.make_node("LpNormalization", ["vector"], ["embedding"], axis=1, p=2),
    ]
    weights = {
        "one": np.array([1], np.int64),
        "waves": waves.astype(np.float32)[:, None],
        "floor": np.array(1e-9, np.float32),
        "projection": np.random.default_rng(2).normal(size=(80, dimension)).astype(np.float32),
    }
    inputs = helper.make_tensor_value_info("waveform", TensorProto.FLOAT, ["N", "T"])
    return _network(nodes, inputs, dimension, weights)


def _entry(name: str, content: bytes, preprocessing: str, dimension: int) -> str:
    return f"""
[[model]]
name = "{name}"
role = "{name}"
version = "1"
file = "{name}/model.onnx"
sha256 = "{hashlib.sha256(content).hexdigest()}"
bytes = {len(content)}
preprocessing = "{preprocessing}"
dimension = {dimension}
normalisation = "{"l2" if dimension else "none"}"
licence = "Apache-2.0"
default = true
"""


@pytest.fixture(scope="session")
def write_models() -> Callable[[Path], Path]:
    """Writes a models folder whose encoders are real ONNX networks of random weights.

    Its detector is no network at all: enough for faces that come aligned, and for what must be refused.
    """

    def write(folder: Path, face_preprocessing: str = "face-112-uint8-1") -> Path:
        models = {
            "face-detector": (b"no network", "bgr-1", 0),
            "face-encoder": (_tiny_face_encoder(32), face_preprocessing, 32),
            "voice-encoder": (_tiny_voice_encoder(24), "speech-16k-1", 24),
        }
        text = "schema = 1\n"
        for name, (content, preprocessing, dimension) in models.items():
            (folder / name).mkdir(parents=True)
            (folder / name / "model.onnx").write_bytes(content)
            text += _entry(name, content, preprocessing, dimension)
        (folder / "manifest.toml").write_text(text, encoding="utf-8")
        return folder

    return write


@pytest.fixture(scope="session")
def tiny_models(write_models: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with small networks of random weights; not to be changed."""
    return write_models(tmp_path_factory.mktemp("tiny") / "models")
