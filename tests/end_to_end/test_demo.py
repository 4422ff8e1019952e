"""The demonstration: what it prints, what it writes, and that it leaves nothing else."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from tests.cli.conftest import Tool
from verify_app.services.demo.people import DemoPerson


def test_the_demo_decides_rightly_and_leaves_only_its_report(
    tool: Tool, people: tuple[DemoPerson, ...], tmp_path: Path
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    answer = tool("demo", "--json", TMPDIR=str(scratch))

    assert answer.code == 0
    right = answer.json["right"]
    assert right["non_mated"]["right"] == right["non_mated"]["of"], "nobody is taken for another"
    faces = [claim for claim in answer.json["claims"] if claim["mated"] and claim["by"] != "voice"]
    assert all(claim["right"] for claim in faces)
    assert {claim["by"] for claim in answer.json["claims"]} == {"face", "voice", "both"}
    report = tmp_path / "verify-app-demo.html"
    assert answer.json["report"] == report.name
    html = report.read_text(encoding="utf-8")
    assert html.count('src="data:image/webp;base64,') > 3 * len(people)
    assert not re.search(r'(?:src|href)="(?!data:)', html), "the report needs nothing else"
    assert all(person.name in html for person in people)
    assert not list(scratch.iterdir()), "the temporary home is gone"
    assert not list((tmp_path / "home").rglob("*.db"))
    assert Path(tempfile.gettempdir()) != scratch


def test_a_report_that_cannot_be_written_is_told(tool: Tool, people: tuple[DemoPerson, ...], tmp_path: Path) -> None:
    answer = tool("demo", "--report", tmp_path / "no" / "r.html", "--json")

    assert (answer.code, answer.reason) == (2, "usage")
