"""The model manifest: which networks there are, where they lie and which digest each must have."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias

from verify_app.domain import Contract
from verify_app.reasons import ReasonCode, StateError
from verify_app.resources import models_root

ByteString: TypeAlias = bytes  # the attribute ModelEntry.bytes hides the type

SCHEMA = 1
ROLES = ("face-detector", "face-landmarks", "face-encoder", "voice-encoder")
_REPAIR = "Install the application again, or restore the models folder from its source."


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One network of the manifest.

    Attributes:
        name: name of the model and of its folder.
        role: one of :data:`ROLES`.
        version: version of the model.
        path: where the ONNX file lies.
        sha256: hexadecimal digest the file must have.
        bytes: size the file must have.
        preprocessing: version name of everything done before the graph.
        dimension: length of the embedding, 0 for what makes none.
        normalisation: ``"l2"`` or ``"none"``.
        licence: licence of the weights.
        default: whether this model is the one used for its role.
    """

    name: str
    role: str
    version: str
    path: Path
    sha256: str
    bytes: int
    preprocessing: str
    dimension: int
    normalisation: str
    licence: str
    default: bool

    @property
    def contract(self) -> Contract:
        """What every embedding of this model is bound to."""
        return Contract(self.name, self.sha256, self.preprocessing, self.dimension, self.normalisation)

    def read(self) -> ByteString:
        """The content of the model file, checked against size and digest.

        Raises:
            StateError: MODEL_MISSING when there is no such file, MODEL_CORRUPT when it is not the one
                the manifest names.
        """
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            raise StateError(
                ReasonCode.MODEL_MISSING, f"The model {self.name} is missing: there is no file {self.path}.", _REPAIR
            ) from None
        except OSError as error:
            raise StateError(
                ReasonCode.MODEL_MISSING, f"The model file {self.path} cannot be read: {error.strerror}.", _REPAIR
            ) from None
        if len(content) != self.bytes or hashlib.sha256(content).hexdigest() != self.sha256:
            raise StateError(
                ReasonCode.MODEL_CORRUPT,
                f"The model file {self.path} is damaged: its content is not what the manifest names.",
                _REPAIR,
            )
        return content

    def verify(self) -> None:
        """Check presence, size and digest of the file; raises as :meth:`read` does."""
        self.read()


@dataclass(frozen=True, slots=True)
class Manifest:
    """All models of one models folder."""

    root: Path
    models: tuple[ModelEntry, ...]

    def default(self, role: str) -> ModelEntry:
        """The model in use for a role; StateError MODEL_MISSING when the manifest has none."""
        candidates = [model for model in self.models if model.role == role]
        for model in candidates:
            if model.default:
                return model
        if len(candidates) == 1:
            return candidates[0]
        raise StateError(
            ReasonCode.MODEL_MISSING, f"The manifest in {self.root} names no default model for {role}.", _REPAIR
        )

    def has(self, role: str) -> bool:
        """Whether there is any model for a role."""
        return any(model.role == role for model in self.models)

    def using(self, role: str, name: str) -> Manifest:
        """This manifest with the model called ``name`` in use for ``role``.

        Raises:
            StateError: SETTINGS_INVALID when no model of that role has that name.
        """
        names = [model.name for model in self.models if model.role == role]
        if name not in names:
            raise StateError(
                ReasonCode.SETTINGS_INVALID,
                f"The settings ask for the {role} “{name}”, which this installation does not have.",
                f"Choose one of these: {', '.join(names) or 'none'}.",
            )
        chosen = (replace(model, default=model.name == name) if model.role == role else model for model in self.models)
        return Manifest(self.root, tuple(chosen))

    def named(self, name: str) -> ModelEntry:
        """The model of that name; StateError MODEL_MISSING when there is none."""
        for model in self.models:
            if model.name == name:
                return model
        known = ", ".join(model.name for model in self.models) or "none"
        raise StateError(
            ReasonCode.MODEL_MISSING, f"There is no model called {name}.", f"Choose one of these: {known}."
        )

    def preferring(self, name: str) -> Manifest:
        """The same models with the one of that name in use for its role; StateError MODEL_MISSING without it."""
        wanted = self.named(name)
        models = tuple(
            replace(model, default=model.name == name) if model.role == wanted.role else model for model in self.models
        )
        return Manifest(self.root, models)


def load_manifest(root: Path | None = None) -> Manifest:
    """Read ``manifest.toml`` in ``root`` (the models folder of the application when None).

    Only the table is read here; the files are checked when they are used.

    Raises:
        StateError: MODEL_MISSING without a manifest, MODEL_CORRUPT when it cannot be understood.
    """
    root = models_root() if root is None else root
    path = root / "manifest.toml"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StateError(ReasonCode.MODEL_MISSING, f"There is no model manifest {path}.", _REPAIR) from None
    except OSError as error:
        raise StateError(
            ReasonCode.MODEL_MISSING, f"The model manifest {path} cannot be read: {error.strerror}.", _REPAIR
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _corrupt(path, f"it is not valid TOML ({error})") from None
    if table.get("schema") != SCHEMA:
        raise _corrupt(path, f"schema {table.get('schema')!r} is not {SCHEMA}")
    rows = table.get("model", [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise _corrupt(path, "[[model]] is not a list of tables")
    models = tuple(_entry(row, root, path) for row in rows)
    if len({model.name for model in models}) != len(models):
        raise _corrupt(path, "two models have the same name")
    return Manifest(root, models)


def _entry(row: dict[str, Any], root: Path, manifest: Path) -> ModelEntry:
    def value(key: str, kind: type, fallback: Any = None) -> Any:
        found = row.get(key, fallback)
        if not isinstance(found, kind) or (kind is int and isinstance(found, bool)):
            raise _corrupt(manifest, f"{key!r} of model {row.get('name', '?')!r} is missing or of the wrong type")
        return found

    name, role, file = value("name", str), value("role", str), PurePosixPath(value("file", str))
    if role not in ROLES:
        raise _corrupt(manifest, f"model {name!r} has the unknown role {role!r}")
    if file.is_absolute() or ".." in file.parts:
        raise _corrupt(manifest, f"the file of model {name!r} lies outside the models folder")
    return ModelEntry(
        name=name,
        role=role,
        version=value("version", str),
        path=root / file,
        sha256=value("sha256", str).lower(),
        bytes=value("bytes", int),
        preprocessing=value("preprocessing", str),
        dimension=value("dimension", int),
        normalisation=value("normalisation", str),
        licence=value("licence", str, ""),
        default=value("default", bool, False),
    )


def _corrupt(path: Path, what: str) -> StateError:
    return StateError(ReasonCode.MODEL_CORRUPT, f"The model manifest {path} cannot be used: {what}.", _REPAIR)
