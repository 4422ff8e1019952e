"""Refresh the digests and sizes in ``models/manifest.toml`` from the files it names.

``python -m models.training.write_manifest`` after a new export. Every other value, the comments and
the order stay as they are; nothing is written when nothing changed.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import tomllib
from pathlib import Path

MODELS = Path(__file__).resolve().parents[1]
"""The folder that holds the shipped networks."""


def refreshed(text: str, models: Path) -> str:
    """``text`` of a manifest with ``sha256`` and ``bytes`` as the files under ``models`` have them.

    Raises FileNotFoundError for a file the manifest names but ``models`` lacks, ValueError for an
    entry without ``file``, ``sha256`` or ``bytes``.
    """
    tomllib.loads(text)
    head, *entries = re.split(r"(?m)^(?=\[\[model\]\])", text)
    return head + "".join(refreshed_entry(entry, models) for entry in entries)


def refreshed_entry(entry: str, models: Path) -> str:
    """One ``[[model]]`` table with its digest and size renewed."""
    named = re.search(r'(?m)^file\s*=\s*"([^"]+)"', entry)
    if named is None:
        raise ValueError('a [[model]] table has no `file = "..."`')
    content = (models / named.group(1)).read_bytes()
    for key, value in (
        ("sha256", f'"{hashlib.sha256(content).hexdigest()}"'),
        ("bytes", str(len(content))),
    ):
        pattern = rf'(?m)^({key}\s*=\s*)("[^"]*"|[\d_]+)'
        entry, changed = re.subn(pattern, rf"\g<1>{value}", entry)
        if changed != 1:
            raise ValueError(f"{named.group(1)}: its table needs one `{key}` line, found {changed}")
    return entry


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", type=Path, default=MODELS)
    arguments = parser.parse_args()
    manifest = arguments.models / "manifest.toml"
    before = manifest.read_text(encoding="utf-8")
    after = refreshed(before, arguments.models)
    if after == before:
        print(f"{manifest}: up to date")
        return
    partial = manifest.with_suffix(".partial")
    partial.write_text(after, encoding="utf-8")
    partial.replace(manifest)
    print(f"{manifest}: refreshed")


if __name__ == "__main__":
    main()
