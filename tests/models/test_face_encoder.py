"""The shipped face encoder: its file, its contract, its speed of light, its error rate."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.training.write_manifest import refreshed

onnxruntime = pytest.importorskip("onnxruntime")

MODELS = Path("models")
PACK = Path("../shared/data/faces")


@pytest.fixture(scope="module")
def entry() -> dict[str, Any]:
    tables = tomllib.loads((MODELS / "manifest.toml").read_text(encoding="utf-8"))["model"]
    return next(table for table in tables if table["role"] == "face-encoder" and table["default"])


@pytest.fixture(scope="module")
def session(entry: dict[str, Any]) -> Any:
    return onnxruntime.InferenceSession(str(MODELS / entry["file"]), providers=["CPUExecutionProvider"])


def noise(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 112, 112, 3), dtype=np.uint8)


def embed(session: Any, images: np.ndarray) -> np.ndarray:
    return session.run(["embedding"], {"image": images})[0]


def test_the_manifest_states_the_digest_and_size_of_the_file(entry: dict[str, Any]) -> None:
    content = (MODELS / entry["file"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == entry["sha256"]
    assert len(content) == entry["bytes"]
    assert len(content) <= 8_000_000


def test_the_graph_keeps_the_contract(session: Any, entry: dict[str, Any]) -> None:
    (given,), (made,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.type, given.shape[1:]) == ("image", "tensor(uint8)", [112, 112, 3])
    assert isinstance(given.shape[0], str)
    assert (made.name, made.type) == ("embedding", "tensor(float)")
    vectors = embed(session, noise(3))
    assert vectors.shape == (3, entry["dimension"])
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def test_a_crop_embeds_the_same_alone_and_in_a_batch(session: Any) -> None:
    images = noise(5)
    alone = np.concatenate([embed(session, one[None]) for one in images])
    assert np.allclose(embed(session, images), alone, atol=1e-5)


def test_black_and_white_crops_still_give_finite_unit_vectors(session: Any) -> None:
    flat = np.stack([np.zeros((112, 112, 3), np.uint8), np.full((112, 112, 3), 255, np.uint8)])
    vectors = embed(session, flat)
    assert np.isfinite(vectors).all()
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def test_refreshing_a_manifest_renews_digest_and_size_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "one.onnx").write_bytes(b"abc")
    text = (
        '# kept\nschema = 1\n[[model]]\nname = "one" # kept too\nfile = "one.onnx"\nsha256 = ""\nbytes = 0\n'
        'licence = "Apache-2.0"\n'
    )
    found = refreshed(text, tmp_path)
    assert f'sha256 = "{hashlib.sha256(b"abc").hexdigest()}"' in found
    assert "bytes = 3\n" in found
    assert "# kept\n" in found
    assert "# kept too" in found
    assert refreshed(found, tmp_path) == found


def test_refreshing_names_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        refreshed('[[model]]\nfile = "none.onnx"\nsha256 = ""\nbytes = 0\n', tmp_path)
    (tmp_path / "one.onnx").write_bytes(b"abc")
    with pytest.raises(ValueError, match="`sha256`"):
        refreshed('[[model]]\nfile = "one.onnx"\nbytes = 0\n', tmp_path)
    with pytest.raises(ValueError, match="no `file"):
        refreshed('[[model]]\nsha256 = ""\nbytes = 0\n', tmp_path)


@pytest.mark.shared_data
@pytest.mark.slow
@pytest.mark.skipif(not PACK.exists(), reason="../shared/data/faces is not here")
def test_the_error_rate_on_the_development_split_is_what_the_card_says(session: Any) -> None:
    import zipfile

    cv2 = pytest.importorskip("cv2")
    from models.training.evaluate import summary
    from models.training.prepare_faces import read_index

    rows = [row for row in read_index(PACK) if row["split"] == "dev"]
    crops = []
    for number in sorted({row["shard"] for row in rows}):
        with zipfile.ZipFile(PACK / f"faces-{int(number):02d}.zip") as shard:
            for row in rows:
                if row["shard"] == number:
                    packed = np.frombuffer(shard.read(row["file"]), np.uint8)
                    crops.append((row["identity"], cv2.imdecode(packed, cv2.IMREAD_COLOR)[8:120, 8:120, ::-1]))
    images = np.ascontiguousarray(np.stack([crop for _, crop in crops]))
    vectors = np.concatenate([embed(session, images[n : n + 16]) for n in range(0, len(images), 16)])
    subjects = np.unique([name for name, _ in crops], return_inverse=True)[1].astype(np.int64)
    assert summary(vectors, subjects)["eer"] == pytest.approx(0.0472, abs=0.002)
