"""The application: settings, store, encoders and pipelines, each opened when first needed and closed together."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Self

from verify_app.domain import Contract, Modality
from verify_app.services.settings import Settings, load_settings

if TYPE_CHECKING:
    from enrollment_db import Store
    from verify_app.encoders.manifest import Manifest
    from verify_app.face.pipeline import FacePipeline
    from verify_app.voice.pipeline import VoicePipeline

log = logging.getLogger(__name__)


class Application:
    """Everything a use case needs. Safe to share between threads.

    Args:
        settings: where things are kept and what the user chose; default those of this user.
        ask_passphrase: asks the user for the passphrase of a protected database; None where nobody can answer.
        warn: shows the user one sentence that matters but stops nothing.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        ask_passphrase: Callable[[], str] | None = None,
        warn: Callable[[str], None] | None = None,
    ) -> None:
        self.settings = settings if settings is not None else load_settings()
        self._ask_passphrase = ask_passphrase
        self._warn = warn or log.warning
        self._lock = threading.RLock()
        self._store: Store | None = None
        self._face: FacePipeline | None = None
        self._voice: VoicePipeline | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the store and let go of the encoders."""
        with self._lock:
            if self._store is not None:
                self._store.close()
            self._store = self._face = self._voice = None

    @cached_property
    def manifest(self) -> Manifest:
        """The encoders this installation has; the settings say which are in use."""
        from verify_app.encoders.manifest import load_manifest

        manifest = load_manifest()
        for role, name in (
            ("face-encoder", self.settings.face_encoder),
            ("voice-encoder", self.settings.voice_encoder),
        ):
            if name:
                manifest = manifest.using(role, name)
        return manifest

    @property
    def face(self) -> FacePipeline:
        """Image -> face -> embedding."""
        with self._lock:
            if self._face is None:
                from verify_app.face.pipeline import FacePipeline

                self._face = FacePipeline(self.manifest, threads=self.threads)
            return self._face

    @property
    def voice(self) -> VoicePipeline:
        """Recording -> speech -> embedding."""
        with self._lock:
            if self._voice is None:
                from verify_app.voice.pipeline import VoicePipeline

                self._voice = VoicePipeline(self.manifest, threads=self.threads)
            return self._voice

    def pipeline(self, modality: Modality) -> FacePipeline | VoicePipeline:
        """The pipeline of a modality."""
        return self.face if modality is Modality.FACE else self.voice

    def with_encoder(self, name: str) -> Application:
        """A second application that decides nothing here, but embeds by another installed encoder; close it.

        Raises:
            StateError: MODEL_MISSING when there is no such encoder.
        """
        other = Application(self.settings, ask_passphrase=self._ask_passphrase, warn=self._warn)
        other.manifest = self.manifest.preferring(name)
        return other

    def contract(self, modality: Modality) -> Contract:
        """The contract of the embeddings this installation makes now."""
        contract: Contract = self.manifest.default(f"{modality.value}-encoder").contract
        return contract

    @property
    def threads(self) -> int | None:
        """Threads of an encoder, None for its own choice."""
        return self.settings.threads or None

    @property
    def store(self) -> Store:
        """The enrolment database, made at first use.

        Raises:
            StateError: DATABASE_LOCKED, DATABASE_CORRUPT, DATABASE_TOO_NEW, KEY_UNAVAILABLE, STORAGE_FULL.
        """
        with self._lock:
            if self._store is None:
                from verify_app.services.storage import open_application_store

                self._store = open_application_store(self.settings, self._ask_passphrase, self._warn)
            return self._store
