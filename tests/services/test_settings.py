"""Settings: where they come from, and how a mistake in them is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verify_app.reasons import ReasonCode, StateError, UsageError
from verify_app.services.settings import Settings, load_settings


def _write(home: Path, text: str | bytes) -> Path:
    file = home / "config" / "settings.toml"
    file.parent.mkdir(parents=True)
    file.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return file


def test_one_folder_holds_data_and_configuration(tmp_path: Path) -> None:
    settings = load_settings(environment={"VERIFY_APP_HOME": str(tmp_path)})

    assert settings.data == tmp_path / "data"
    assert settings.file == tmp_path / "config" / "settings.toml"
    assert settings.database_location == str(tmp_path / "data" / "enrolment.db")
    assert settings.target_fmr == 1e-3
    assert not list(tmp_path.iterdir()), "reading settings writes nothing"


def test_the_argument_wins_over_the_variable(tmp_path: Path) -> None:
    settings = load_settings(tmp_path / "given", {"VERIFY_APP_HOME": str(tmp_path / "variable")})

    assert settings.data == tmp_path / "given" / "data"


def test_variables_win_over_the_file_and_the_file_over_the_defaults(tmp_path: Path) -> None:
    _write(tmp_path, 'target_fmr = 0.01\nthreads = 3\ntheme = "dark"\n')

    settings = load_settings(tmp_path, {"VERIFY_APP_TARGET_FMR": "0.0001"})

    assert (settings.target_fmr, settings.threads, settings.theme) == (0.0001, 3, "dark")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("target_fmr = 2\n", "target_fmr"),
        ('target_fmr = "often"\n', "target_fmr"),
        ("target_fmr = true\n", "target_fmr"),
        ("threads = -1\n", "threads"),
        ("theme = 4\n", "theme"),
        ("target_fnr = 0.1\n", "did you mean “target_fmr”"),
        ("completely = 1\n", "completely"),
        ("target_fmr =\n", "TOML"),
        (b"\xff\xfe\x00broken", "TOML"),
    ],
)
def test_a_mistake_names_file_key_and_remedy(tmp_path: Path, text: str | bytes, named: str) -> None:
    file = _write(tmp_path, text)

    with pytest.raises(StateError) as refusal:
        load_settings(tmp_path, {})

    assert refusal.value.reason.code is ReasonCode.SETTINGS_INVALID
    assert named in refusal.value.reason.message
    assert str(file) in refusal.value.reason.message
    assert refusal.value.reason.advice


def test_a_mistake_in_a_variable_names_the_variable(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="VERIFY_APP_THREADS"):
        load_settings(tmp_path, {"VERIFY_APP_THREADS": "many"})


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, {}).with_changes(target_fmr=0.02, microphone='the "blue" one', camera=2)
    settings.save()

    assert load_settings(tmp_path, {}) == settings


def test_the_passphrase_is_never_written_or_shown(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, {"VERIFY_APP_PASSPHRASE": "open sesame"}).with_changes(threads=2)
    settings.save()

    assert settings.passphrase == "open sesame"
    assert "sesame" not in repr(settings)
    assert "sesame" not in settings.file.read_text(encoding="utf-8")


def test_a_change_that_is_not_allowed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="target fmr"):
        load_settings(tmp_path, {}).with_changes(target_fmr=1.5)


@given(st.floats(min_value=1e-12, max_value=1, exclude_max=True), st.integers(0, 1024))
def test_every_allowed_value_is_taken_from_variables(target: float, threads: int) -> None:
    settings = load_settings("somewhere", {"VERIFY_APP_TARGET_FMR": repr(target), "VERIFY_APP_THREADS": str(threads)})

    assert isinstance(settings, Settings)
    assert (settings.target_fmr, settings.threads) == (target, threads)
