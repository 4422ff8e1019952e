"""The tool itself: help, options, and how every kind of trouble ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import REPOSITORY, Tool, environment
from verify_app.cli import main, state
from verify_app.cli.main import COMMANDS

HEAVY = ("numpy", "cv2", "onnxruntime", "pydantic", "rich", "scipy", "sklearn", "librosa", "matplotlib", "PySide6")


def test_help_names_every_command_and_the_exit_codes(tool: Tool) -> None:
    answer = tool("--help")

    assert answer.code == 0
    assert all(f"\n  {name} " in answer.out for name in COMMANDS)
    assert "130 cancelled" in answer.out
    assert answer.err == ""


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - {"gui"}))
def test_the_help_of_a_command_teaches_with_examples(tool: Tool, command: str) -> None:
    answer = tool(command, "--help")

    assert answer.code == 0
    assert "Examples:" in answer.out
    assert f"verify-app {command}" in answer.out


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["compare", "--help"]])
def test_help_imports_nothing_heavy(tmp_path: Path, arguments: list[str]) -> None:
    code = (
        "import sys\nfrom verify_app.cli.main import run\n"
        f"assert run({arguments!r}) == 0\n"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)"
    )
    heavy_here = {"numpy"} if arguments[0] == "compare" else set()  # the nouns of the domain are arrays

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(tmp_path), check=True
    )

    assert done.stderr.strip() in {str(sorted(heavy_here)), "[]"}


def test_version(tool: Tool) -> None:
    from verify_app import __version__

    assert tool("--version").out == f"verify-app {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["verfy", "--as", "Ada"], "Did you mean verify?"),
        (["verify", "x.jpg"], "--as"),
        (["compare", "x.jpg"], "B"),
        (["compare", "x.jpg", "y.jpg", "--target-fmr", "2"], "between 0 and 1"),
        (["compare", "x.jpg", "y.jpg", "--target-fmr", "often"], "often"),
        (["evaluate", "t.csv", "--modality", "gait"], "gait"),
        (["evaluate", "t.csv", "--faces", "all"], "all"),
        (["enroll", "  ", "x.jpg"], "name"),
        (["people", "export", "Ada"], "--out"),
        (["people", "frobnicate"], "frobnicate"),
        (["--no-such-option"], "--no-such-option"),
    ],
)
def test_a_request_that_makes_no_sense(tool: Tool, arguments: list[str], named: str) -> None:
    told = tool(*arguments)
    for_programs = tool(*arguments, "--json")

    assert told.code == 2
    assert named in told.err
    assert told.out == ""
    assert for_programs.code == 2
    assert for_programs.reason == "usage"
    assert named in for_programs.json["reason"]["message"]


def test_global_options_are_understood_anywhere(tool: Tool, tmp_path: Path) -> None:
    for place, arguments in enumerate((["--home", "{}", "people", "list"], ["people", "list", "--home={}"])):
        home = tmp_path / f"elsewhere-{place}"
        answer = tool(*(word.format(home) for word in arguments))

        assert answer.code == 0
        assert (home / "data" / "enrolment.db").exists()


def test_after_two_dashes_nothing_is_an_option(tool: Tool) -> None:
    answer = tool("compare", "--", "--home", "--json")

    assert answer.code in (3, 4)
    assert "--home" in answer.err


def test_a_broken_settings_file_names_file_key_and_remedy(tool: Tool, tmp_path: Path) -> None:
    file = tmp_path / "mine" / "config" / "settings.toml"
    file.parent.mkdir(parents=True)
    file.write_text("target_fmr = 7\n", encoding="utf-8")

    answer = tool("people", "list", "--home", tmp_path / "mine", "--json")

    assert (answer.code, answer.reason) == (4, "settings_invalid")
    assert str(file) in answer.json["reason"]["message"]
    assert "target_fmr" in answer.json["reason"]["message"]


@pytest.mark.parametrize("content", [b"garbage" * 1000, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_damaged_database_is_state_and_stays(tool: Tool, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "mine" / "data" / "enrolment.db"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)

    answer = tool("people", "list", "--home", tmp_path / "mine", "--json")

    assert (answer.code, answer.reason) == (4, "database_corrupt")
    assert file.read_bytes() == content


def test_damaged_and_missing_models_are_state(tool: Tool, tmp_path: Path, tiny_models: Path) -> None:
    import shutil

    models = shutil.copytree(tiny_models, tmp_path / "models")
    voice = models / "voice-encoder" / "model.onnx"
    voice.write_bytes(voice.read_bytes()[:-1] + b"x")
    (models / "face-encoder" / "model.onnx").unlink()

    answer = tool("models", "check", "--json", VERIFY_APP_MODELS=str(models))
    found = {model["name"]: model["reason"]["code"] for model in answer.json["models"] if not model["works"]}

    assert answer.code == 4
    assert found["voice-encoder"] == "model_corrupt"
    assert found["face-encoder"] == "model_missing"


def test_no_models_at_all(tool: Tool, tmp_path: Path) -> None:
    answer = tool("models", "list", "--json", VERIFY_APP_MODELS=str(tmp_path))

    assert (answer.code, answer.reason) == (4, "model_missing")


def test_an_unforeseen_error_is_one_sentence_and_the_log_has_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> None:
        raise RuntimeError("the inner detail")

    monkeypatch.setattr(state, "application", broken)

    code = main.run(["--home", str(tmp_path), "people", "list"])

    told = capsys.readouterr()
    log = tmp_path / "data" / "verify-app.log"
    assert code == 70
    assert "Traceback" not in told.err
    assert "inner detail" not in told.err
    assert str(log) in told.err
    assert "the inner detail" in log.read_text(encoding="utf-8")
    assert log.stat().st_mode & 0o077 == 0


def test_with_debug_an_unforeseen_error_shows_its_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> None:
        raise RuntimeError("the inner detail")

    monkeypatch.setattr(state, "application", broken)

    code = main.run(["--home", str(tmp_path), "--debug", "people", "list"])

    assert code == 70
    assert "the inner detail" in capsys.readouterr().err


def test_names_that_are_no_text_and_consoles_without_our_characters(tool: Tool) -> None:
    name = b"\xff\xfe.jpg".decode("utf-8", "surrogateescape")

    told = tool("compare", name, name)
    for_programs = tool("compare", name, name, "--json")
    ascii_only = tool("--help", PYTHONIOENCODING="ascii")

    assert told.code in (3, 4)
    assert for_programs.code == told.code
    assert ascii_only.code == 0


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
def test_whoever_stops_reading_gets_no_complaint(tmp_path: Path) -> None:
    done = subprocess.run(
        f'"{sys.executable}" -m verify_app --help | head -n 1',
        shell=True,
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        env=environment(tmp_path),
        check=False,
    )

    assert done.returncode == 0
    assert done.stderr == ""
