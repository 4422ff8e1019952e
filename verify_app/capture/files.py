"""Files of every kind, judged by their content: what they hold, and the samples in them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from verify_app.capture.content import Content, identify
from verify_app.domain import Modality, Sample
from verify_app.reasons import ReasonCode, UnusableInput

Kind = Literal["image", "audio", "video"]


def sniff(path: str | Path) -> Kind:
    """Whether the content of a file is an image, a sound recording or a video; its name does not count.

    Raises:
        UnusableInput: FILE_NOT_FOUND, FILE_EMPTY, FILE_UNREADABLE, FILE_TRUNCATED or FORMAT_UNSUPPORTED.
    """
    content = identify(path)
    if content.kind == "container":
        from verify_app.capture.tracks import has_video

        return "video" if has_video(path, content.format) else "audio"
    return "image" if content.kind == "image" else "audio"


def load_samples(path: str | Path, modality: Modality | None = None, content: Content | None = None) -> list[Sample]:
    """The samples a file holds.

    Args:
        path: the file.
        modality: what is wanted of it. None takes an image or a video as faces, a recording as a voice;
            VOICE takes the sound track of a video.
        content: what the file holds, where that was told already.

    Returns:
        An image gives one face sample, a recording one voice sample, a video up to eight face samples
        (sharpest first) or its sound track.

    Raises:
        UnusableInput: with the code of what is wrong with the file; MODALITY_MISMATCH when it cannot
            hold what is wanted.
    """
    content = content or identify(path)
    if content.kind == "image":
        if modality is Modality.VOICE:
            raise UnusableInput(
                ReasonCode.MODALITY_MISMATCH, f"{path} is an image and holds no voice.", "Use a sound recording."
            )
        from verify_app.capture.images import load_image

        return [load_image(path, content.format)]
    if content.kind == "audio":
        if modality is Modality.FACE:
            raise UnusableInput(
                ReasonCode.MODALITY_MISMATCH, f"{path} is a sound recording and shows no face.", "Use a picture."
            )
        from verify_app.capture.sound import load_sound

        return [load_sound(path, content.format)]
    from verify_app.capture.tracks import has_video, load_frames, load_track

    if modality is None:
        modality = Modality.FACE if has_video(path, content.format) else Modality.VOICE
    return load_frames(path, content.format) if modality is Modality.FACE else [load_track(path, content.format)]
