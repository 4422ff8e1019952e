"""The doctor: what works on this machine, what does not, and how to mend it."""

from verify_app.services.doctor.findings import Finding, Health, examine_machine

__all__ = ["Finding", "Health", "examine_machine"]
