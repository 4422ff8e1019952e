"""Where samples come in: drop files, open them, or use the camera or the microphone."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent
from PySide6.QtWidgets import QFileDialog, QFrame

from verify_app.domain import Modality
from verify_app.gui.text import translate
from verify_app.gui.widgets.basic import IconLabel, button, column, label, row, set_property

IMAGES = "*.jpg *.jpeg *.png *.webp *.bmp *.tif *.tiff"
AUDIO = "*.wav *.flac *.ogg *.opus *.mp3 *.m4a"
VIDEO = "*.mp4 *.mov *.avi *.mkv *.webm"


class DropZone(QFrame):
    """Takes files by drop or dialog and offers the devices.

    Signals:
        files: list of paths that were dropped or opened.
        camera, microphone: the user wants to capture live.
    """

    files = Signal(list)
    camera = Signal()
    microphone = Signal()

    def __init__(self, modality: Modality | None = None) -> None:
        super().__init__()
        self.setObjectName("drop-zone")
        self.setAcceptDrops(True)
        self._modality = modality
        wanted = {
            None: translate("DropZone", "Drop a photo, a recording or a video here"),
            Modality.FACE: translate("DropZone", "Drop photos or a video here"),
            Modality.VOICE: translate("DropZone", "Drop recordings here"),
        }[modality]
        hint = label(wanted, "h3", wrap=True)
        hint.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.open_button = button(translate("DropZone", "Open…"), self._open, icon="file")
        self.camera_button = button(translate("DropZone", "Camera"), self.camera.emit, icon="camera")
        self.microphone_button = button(translate("DropZone", "Microphone"), self.microphone.emit, icon="microphone")
        self.camera_button.setVisible(modality is not Modality.VOICE)
        self.microphone_button.setVisible(modality is not Modality.FACE)
        buttons = row(1, self.open_button, self.camera_button, self.microphone_button, 1, gap=6)
        self.setLayout(column(row(1, IconLabel("import", 28), 1), hint, buttons, gap=10, margin=14))
        self.setAccessibleName(wanted)

    def _open(self) -> None:
        kinds = {
            None: f"{IMAGES} {AUDIO} {VIDEO}",
            Modality.FACE: f"{IMAGES} {VIDEO}",
            Modality.VOICE: f"{AUDIO} {VIDEO}",
        }[self._modality]
        usable = translate("DropZone", "Photos, recordings and videos")
        every = translate("DropZone", "All files")
        paths, _ = QFileDialog.getOpenFileNames(
            self, translate("DropZone", "Open samples"), "", f"{usable} ({kinds});;{every} (*)"
        )
        if paths:
            self.files.emit([Path(path) for path in paths])

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802 - Qt's name
        """Take files, nothing else."""
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()
            set_property(self, "active", "true")

    def dragLeaveEvent(self, _event: QDragLeaveEvent) -> None:  # noqa: N802 - Qt's name
        """Look as before."""
        set_property(self, "active", "false")

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802 - Qt's name
        """Hand the files over."""
        set_property(self, "active", "false")
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        event.acceptProposedAction()
        self.files.emit(paths)
