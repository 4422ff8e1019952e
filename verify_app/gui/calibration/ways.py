"""The ways of comparing that a user can choose, with names for people."""

from __future__ import annotations

from PySide6.QtWidgets import QComboBox

from verify_app.gui.text import translate

WAYS = ("cosine", "euclidean", "mahalanobis", "lda", "plda", "kernel", "as-norm", "local", "pca-64", "pca-32")


def way_name(similarity: str) -> str:
    """A similarity as people read it; what is fitted says so."""
    kind = similarity.removesuffix(" cosine")
    if kind.startswith("pca-"):
        return translate("Ways", "Cosine of {count} components, fitted").format(count=kind.removeprefix("pca-"))
    names = {
        "cosine": translate("Ways", "Cosine"),
        "euclidean": translate("Ways", "Euclidean distance"),
        "mahalanobis": translate("Ways", "Mahalanobis distance, fitted"),
        "lda": translate("Ways", "Linear discriminant (LDA), fitted"),
        "plda": translate("Ways", "Probabilistic (PLDA), fitted"),
        "kernel": translate("Ways", "Kernel discriminant, fitted"),
        "as-norm": translate("Ways", "Cosine against a cohort (AS-norm), fitted"),
        "local": translate("Ways", "Cosine against neighbours (local), fitted"),
    }
    return names.get(kind, similarity)


def fill_with_ways(box: QComboBox, leave_out: str = "") -> None:
    """Offer every way but one."""
    for one in WAYS:
        if one != leave_out.removesuffix(" cosine"):
            box.addItem(way_name(one), one)
