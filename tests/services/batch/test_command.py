"""The command line that the window shows is read back by the shell tool as the same job."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
import typer.main
from hypothesis import given
from hypothesis import strategies as st

from verify_app.cli import batch
from verify_app.domain import Modality
from verify_app.reasons import UsageError
from verify_app.services.batch.choices import Method
from verify_app.services.batch.command import command_line
from verify_app.services.batch.spec import MANY_PARTS, POLICIES, JobKind, JobSpec

names = st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=12).map(lambda n: "x" + n)


@st.composite
def specs(draw: st.DrawFn) -> JobSpec:
    kind = draw(st.sampled_from(JobKind))
    sources = [Path("/in") / draw(names) for _ in range(2 if kind in (JobKind.PAIRS, JobKind.CROSS) else 1)]
    claim = draw(st.sampled_from(["folder", "name:^(.+)_", "csv:/a b/claims.csv"])) if kind is JobKind.VERIFY else ""
    faces = draw(st.sampled_from([one for one in POLICIES if one != "all" or kind in MANY_PARTS]))
    patterns = () if kind is JobKind.PAIRS else tuple(draw(st.lists(names, max_size=2)))
    return JobSpec.of(
        kind, draw(st.sampled_from(Modality)), sources,
        claim=claim, faces=faces, patterns=patterns, gates=draw(st.booleans()), aligned=draw(st.booleans()),
        segments=kind in MANY_PARTS and draw(st.booleans()),
    )  # fmt: skip


@given(specs(), names, st.sampled_from([1e-2, 1e-3, 1e-4]), st.sampled_from(Method))
def test_round_trip(spec: JobSpec, out: str, target: float, method: Method) -> None:
    line = command_line(spec, f"/out/{out}", target_fmr=target, method=method)
    tool, group, kind, *arguments = shlex.split(line)
    assert (tool, group) == ("verify-app", "batch")
    command = typer.main.get_command(batch.app).commands[kind]  # type: ignore[attr-defined]
    read = command.make_context(kind, arguments).params
    sources = [read[name] for name in ("folder", "table", "root", "first", "second") if read.get(name) is not None]
    again = JobSpec.of(
        JobKind(kind), Modality(read["modality"]), [Path(source) for source in sources],
        claim=read.get("claim") or "", patterns=tuple(read.get("pattern") or ()), faces=read["faces"],
        gates=read["quality_gates"], aligned=read["aligned"], segments=read.get("segments", False),
    )  # fmt: skip
    assert again == spec
    assert str(read["out"]) == f"/out/{out}"
    assert read["target_fmr"] == target
    if spec.kind is JobKind.GROUP:
        assert Method(read["method"]) is method


def test_a_job_survives_its_own_json() -> None:
    spec = JobSpec.of(JobKind.CROSS, Modality.FACE, [Path("/a"), Path("/b")], patterns=("*.jpg",), faces="largest")
    assert JobSpec.from_json(spec.to_json()) == spec


@pytest.mark.parametrize(("kind", "faces"), [(JobKind.PAIRS, "all"), (JobKind.GROUP, "two")])
def test_policies_that_make_no_sense(kind: JobKind, faces: str) -> None:
    with pytest.raises(UsageError):
        JobSpec(kind, Modality.FACE, ("/in",), faces=faces)
