"""What the form of the page asks for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from verify_app.services.batch.choices import Method
from verify_app.services.batch.command import command_line
from verify_app.services.batch.spec import JobSpec


@dataclass(frozen=True, slots=True)
class JobRequest:
    """A job, where its results go, and how they are scored."""

    spec: JobSpec
    out: Path
    target_fmr: float
    method: Method = Method.AGGLOMERATIVE

    @property
    def command(self) -> str:
        """The command line that does the same."""
        return command_line(self.spec, str(self.out), target_fmr=self.target_fmr, method=self.method)

    def at(self, target_fmr: float) -> JobRequest:
        """The same job at another operating point."""
        return replace(self, target_fmr=target_fmr)
