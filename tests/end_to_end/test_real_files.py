"""The shell tool on real photographs and recordings, where the development data are."""

from __future__ import annotations

import csv
import zipfile
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.cli.conftest import Tool

pytestmark = [pytest.mark.shared_data, pytest.mark.slow]


def _unpacked(data: Path, pack: str, column: str, folder: Path, people: int, each: int) -> dict[str, list[Path]]:
    """Some files of some people of the development split."""
    found: dict[str, list[Path]] = defaultdict(list)
    with (data / pack / "index.csv").open(encoding="utf-8", newline="") as table:
        for row in csv.DictReader(table):
            if row["split"] != "dev" or (row[column] not in found and len(found) == people):
                continue
            if len(found[row[column]]) < each:
                with zipfile.ZipFile(data / pack / f"{pack}-{int(row['shard']):02d}.zip") as archive:
                    file = folder / row["file"]
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.write_bytes(archive.read(row["file"]))
                found[row[column]].append(file)
    return dict(found)


def _trials(file: Path, people: dict[str, list[Path]]) -> Path:
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["reference", "probe", "mated", "reference_subject", "probe_subject"])
        for claimed, references in people.items():
            for shown, probes in people.items():
                for probe in probes[1:]:
                    writer.writerow([references[0].name, probe.name, int(claimed == shown), claimed, shown])
    return file


@pytest.fixture(scope="session")
def faces(shared_data: Path, shipped_models: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    if not (shipped_models / "face-encoder" / "calibration.json").is_file():
        pytest.skip("the face encoder has no calibration yet")
    return _unpacked(shared_data, "faces", "identity", tmp_path_factory.mktemp("faces"), 12, 5)


@pytest.fixture(scope="session")
def voices(shared_data: Path, shipped_models: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    if not (shipped_models / "voice-encoder" / "calibration.json").is_file():
        pytest.skip("the voice encoder has no calibration yet")
    return _unpacked(shared_data, "speech", "speaker", tmp_path_factory.mktemp("voices"), 10, 4)


def test_photographs_are_evaluated_found_and_aligned(tool: Tool, faces: dict[str, list[Path]], tmp_path: Path) -> None:
    folder = tmp_path / "faces"
    folder.mkdir()
    for file in (file for files in faces.values() for file in files):
        (folder / file.name).symlink_to(file)
    table = _trials(tmp_path / "t.csv", faces)

    found = tool("evaluate", table, "--root", folder, "--json")

    assert found.code == 0
    assert found.json["modality"] == "face"
    assert found.json["failures_to_acquire"]["rate"]["value"] < 0.2
    assert found.json["eer"]["value"] < 0.3
    assert found.json["subjects"] == len(faces)


def test_crops_on_the_template_need_no_detector(tool: Tool, faces: dict[str, list[Path]], tmp_path: Path) -> None:
    folder = tmp_path / "crops"
    folder.mkdir()
    renamed: dict[str, list[Path]] = defaultdict(list)
    for person, files in faces.items():
        for file in files:
            crop = folder / f"{file.stem}.png"
            cv2.imwrite(str(crop), cv2.imread(str(file))[8:120, 8:120])
            renamed[person].append(crop)
    table = _trials(tmp_path / "t.csv", dict(renamed))

    found = tool("evaluate", table, "--root", folder, "--aligned", "--scores", tmp_path / "scores.csv", "--json")

    assert found.code == 0
    assert found.json["failures_to_acquire"]["failed_files"] == 0
    assert found.json["eer"]["value"] < 0.25
    with (tmp_path / "scores.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    mated = np.array([float(row["score"]) for row in rows if row["mated"] == "1"])
    non_mated = np.array([float(row["score"]) for row in rows if row["mated"] == "0"])
    assert mated.mean() > non_mated.mean() + 0.2


def test_recordings_are_evaluated(tool: Tool, voices: dict[str, list[Path]], tmp_path: Path) -> None:
    folder = tmp_path / "voices"
    folder.mkdir()
    for file in (file for files in voices.values() for file in files):
        (folder / file.name).symlink_to(file)
    table = _trials(tmp_path / "t.csv", voices)

    found = tool("evaluate", table, "--root", folder, "--modality", "voice", "--json")

    assert found.code == 0
    assert found.json["eer"]["value"] < 0.35


def test_real_people_are_enrolled_verified_and_searched(
    tool: Tool, faces: dict[str, list[Path]], voices: dict[str, list[Path]]
) -> None:
    for name, files in list(faces.items())[:4]:
        assert tool("enroll", name, *files[:3]).code in (0, 3)
    kept = {one["name"] for one in tool("people", "list", "--json").json["people"]}
    assert len(kept) >= 3
    name = min(kept)

    false = tool("verify", "--as", name, list(faces.values())[7][4], "--json")
    search = tool("identify", faces[name][4], "--json")
    speaker, other = list(voices.values())[:2]
    heard = tool("compare", speaker[0], other[0], "--json")

    assert false.code in (1, 3), "a stranger is not verified"
    assert search.code in (0, 1, 3)
    if search.code == 0:
        assert search.json["match"]["name"] == name
    assert heard.code in (1, 3)
