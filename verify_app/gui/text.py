"""Text for people: everything the window says goes through :func:`translate`.

``pyside6-lupdate`` finds the calls by their name and reads the context from the first argument, so
both first arguments are always literals.
"""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication


def translate(context: str, text: str, comment: str | None = None, n: int = -1) -> str:
    """``text`` in the language of the window; ``n`` fills ``%n`` and picks the plural form.

    English, the language of the texts, writes its plural as ``sample(s)`` and needs no translation file.
    """
    found = QCoreApplication.translate(context, text, comment or "", n)
    return found.replace("%n", str(n)).replace("(s)", "" if n == 1 else "s") if n >= 0 else found
