"""No network: the main job runs where every socket is refused."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import REPOSITORY, Tool, environment
from verify_app.services.demo.people import DemoPerson

NO_SOCKETS = """
import sys

def audit(event, arguments):
    if event.startswith("socket."):
        raise AssertionError(f"a socket was used: {event}")

sys.addaudithook(audit)
"""


def _unshare() -> list[str]:
    """The command before the command that takes the network away, where this account may."""
    found = shutil.which("unshare")
    if found is None:
        return []
    command = [found, "--net", "--map-root-user"]
    tried = subprocess.run([*command, "true"], capture_output=True, check=False)
    return command if tried.returncode == 0 else []


def test_the_demo_runs_with_sockets_forbidden(people: tuple[DemoPerson, ...], tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(NO_SOCKETS, encoding="utf-8")
    variables = environment(tmp_path)
    variables["PYTHONPATH"] = f"{site}:{REPOSITORY}"
    check = subprocess.run(
        [sys.executable, "-c", "import socket; socket.socket()"],
        capture_output=True,
        text=True,
        env=variables,
        check=False,
    )
    assert "a socket was used" in check.stderr, "the guard itself works"

    done = subprocess.run(
        [*_unshare(), sys.executable, "-m", "verify_app", "demo", "--report", str(tmp_path / "demo.html")],
        capture_output=True,
        text=True,
        env=variables,
        cwd=tmp_path,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "socket" not in done.stderr
    assert done.stdout.split()[:3] == ["shows", "claims", "to"]
    assert "true claims verified" in done.stdout
    assert "Operating point: false-match rate 1 in 1 000." in done.stdout


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_native_code_connects_nowhere(people: tuple[DemoPerson, ...], tmp_path: Path) -> None:
    """Libraries that report usage do it in native code, where Python sees nothing."""
    trace = tmp_path / "trace"
    watched = ["strace", "-f", "-qq", "-e", "trace=socket,connect,sendto,sendmsg", "-o", str(trace)]
    done = subprocess.run(
        [*watched, sys.executable, "-m", "verify_app", "compare", *map(str, people[0].enrol_faces[:2])],
        capture_output=True,
        text=True,
        env=environment(tmp_path),
        cwd=tmp_path,
        check=False,
    )
    if not trace.exists() or "ptrace" in done.stderr:
        pytest.skip("this account may not trace processes")

    assert done.returncode in (0, 1), done.stderr
    assert "AF_INET" not in trace.read_text(encoding="utf-8")


def test_onnx_runtime_keeps_no_usage_records(people: tuple[DemoPerson, ...], tool: Tool, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    assert tool("compare", *people[0].enrol_faces[:2], TMPDIR=str(scratch)).code in (0, 1)

    assert not list(scratch.iterdir())
    assert not list((tmp_path / "home").rglob("*onnxruntime*"))


def test_nothing_of_ours_imports_a_network_client() -> None:
    modules = ("requests", "urllib.request", "urllib3", "http", "socket", "ftplib", "httpx", "aiohttp")
    clients = tuple(f"{word} {module}" for module in modules for word in ("import", "from"))
    found = [
        f"{file}: {line.strip()}"
        for folder in ("verify_app", "enrollment_db")
        for file in (REPOSITORY / folder).rglob("*.py")
        for line in file.read_text(encoding="utf-8").splitlines()
        if any(line.strip().startswith(client) for client in clients)
    ]

    assert not found


@pytest.mark.skipif(not _unshare(), reason="this account may not make a network namespace")
def test_a_claim_is_verified_without_any_network_interface(people: tuple[DemoPerson, ...], tmp_path: Path) -> None:
    for arguments in (
        ["enroll", people[0].name, *people[0].enrolment],
        ["verify", "--as", people[0].name, people[0].probe_faces[0]],
    ):
        done = subprocess.run(
            [*_unshare(), sys.executable, "-m", "verify_app", *map(str, arguments)],
            capture_output=True,
            text=True,
            env=environment(tmp_path),
            cwd=tmp_path,
            check=False,
        )

        assert done.returncode == 0, done.stderr
