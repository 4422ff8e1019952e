"""The style sheet, filled with a theme's colours and sizes relative to the system's font."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verify_app.resources import assets_root

if TYPE_CHECKING:
    from verify_app.gui.theme import Theme


def stylesheet(theme: Theme, points: float) -> str:
    """The application's style sheet; ``points`` is the system font's size."""
    t = theme
    arrows = (assets_root() / "icons").as_posix()
    tick = f'url("{arrows}/tick-{t.name}.svg")'
    up, down = f'url("{arrows}/arrow-up-{t.name}.svg")', f'url("{arrows}/arrow-down-{t.name}.svg")'
    return f"""
QWidget {{ color: {t.text}; }}
QMainWindow, QDialog, QWidget#page, QWidget#page-body {{ background: {t.window}; }}
QToolTip {{ background: {t.text}; color: {t.surface}; border: none; padding: 5px 7px; }}

QLabel[role="h1"] {{ font-size: {points * 1.75:.1f}pt; font-weight: 600; }}
QLabel[role="h2"] {{ font-size: {points * 1.2:.1f}pt; font-weight: 600; }}
QLabel[role="h3"] {{ font-weight: 600; }}
QLabel[role="figure"] {{ font-size: {points * 1.25:.1f}pt; font-weight: 600; }}
QLabel[role="muted"] {{ color: {t.muted}; }}
QLabel[role="small"] {{ color: {t.muted}; font-size: {points * 0.9:.1f}pt; }}
QLabel[role="good"] {{ color: {t.good}; }}
QLabel[role="bad"] {{ color: {t.bad}; }}
QLabel[role="warn"] {{ color: {t.warn}; }}

QFrame#navigation {{ background: {t.surface}; border: none; border-right: 1px solid {t.border}; }}
QLabel#brand {{ font-size: {points * 1.25:.1f}pt; font-weight: 700; }}
QToolButton[role="navigation"] {{
    text-align: left; border: none; border-radius: 8px; padding: 9px 10px; background: transparent; color: {t.muted};
}}
QToolButton[role="navigation"]:hover {{ background: {t.sunken}; color: {t.text}; }}
QToolButton[role="navigation"]:checked {{ background: {t.accent_soft}; color: {t.accent}; font-weight: 600; }}
QToolButton[role="navigation"]:focus {{ border: 2px solid {t.accent}; padding: 7px 8px; }}

QFrame[role="card"] {{ background: {t.surface}; border: 1px solid {t.border}; border-radius: 10px; }}
QFrame[role="sunken"] {{ background: {t.sunken}; border: none; border-radius: 8px; }}
QFrame[role="line"] {{ background: {t.border}; border: none; max-height: 1px; min-height: 1px; }}

QFrame[role="verdict"] {{ border-radius: 10px; border: 1px solid {t.border}; background: {t.surface}; }}
QFrame[role="verdict"][tone="good"] {{ background: {t.good_soft}; border-color: {t.good}; }}
QFrame[role="verdict"][tone="bad"] {{ background: {t.bad_soft}; border-color: {t.bad}; }}
QFrame[role="verdict"][tone="warn"] {{ background: {t.warn_soft}; border-color: {t.warn}; }}
QFrame[role="verdict"] QLabel#verdict-title {{ font-size: {points * 1.9:.1f}pt; font-weight: 700; }}
QFrame[role="verdict"][tone="good"] QLabel#verdict-title {{ color: {t.good}; }}
QFrame[role="verdict"][tone="bad"] QLabel#verdict-title {{ color: {t.bad}; }}
QFrame[role="verdict"][tone="warn"] QLabel#verdict-title {{ color: {t.warn}; }}

QFrame#window-notice {{ margin-top: 14px; }}
QFrame[role="notice"] {{ border: none; border-radius: 8px; background: {t.accent_soft}; }}
QFrame[role="notice"][tone="good"] {{ background: {t.good_soft}; }}
QFrame[role="notice"][tone="bad"] {{ background: {t.bad_soft}; }}
QFrame[role="notice"][tone="warn"] {{ background: {t.warn_soft}; }}

QPushButton {{
    background: {t.surface}; border: 1px solid {t.border}; border-radius: 8px; padding: 7px 14px; min-height: 18px;
}}
QPushButton:hover {{ background: {t.sunken}; }}
QPushButton:pressed {{ background: {t.border}; }}
QPushButton:focus {{ border: 2px solid {t.accent}; padding: 6px 13px; }}
QPushButton:disabled {{ color: {t.muted}; background: {t.sunken}; border-color: {t.sunken}; }}
QPushButton[role="primary"] {{
    background: {t.accent}; color: {t.on_accent}; border: 1px solid {t.accent}; font-weight: 600;
}}
QPushButton[role="primary"]:hover {{ background: {t.accent_hover}; }}
QPushButton[role="primary"]:focus {{ border: 2px solid {t.text}; }}
QPushButton[role="primary"]:disabled {{ background: {t.sunken}; color: {t.muted}; border-color: {t.sunken}; }}
QPushButton[role="choice"] {{ text-align: left; border-color: transparent; background: transparent; }}
QPushButton[role="choice"]:checked {{ background: {t.accent_soft}; color: {t.accent}; font-weight: 600; }}
QPushButton[role="danger"] {{ color: {t.bad}; }}
QPushButton[role="danger"]:disabled {{ color: {t.muted}; }}
QPushButton[role="plain"] {{ border: none; background: transparent; color: {t.accent}; padding: 6px 8px; }}
QPushButton[role="plain"]:hover {{ background: {t.accent_soft}; }}
QPushButton[role="plain"]:focus {{ border: 2px solid {t.accent}; padding: 4px 6px; }}
QToolButton[role="chip"] {{
    border: 1px solid {t.border}; border-radius: 13px; padding: 4px 12px; background: {t.surface}; color: {t.text};
}}
QToolButton[role="chip"]:hover {{ background: {t.sunken}; }}
QToolButton[role="chip"]:checked {{ background: {t.accent_soft}; color: {t.accent}; border-color: {t.accent}; }}
QToolButton[role="chip"]:focus {{ border: 2px solid {t.accent}; padding: 3px 11px; }}
QToolButton::menu-indicator {{ image: none; width: 0; }}
QToolButton[role="icon"] {{ border: none; border-radius: 6px; padding: 4px; background: transparent; }}
QToolButton[role="icon"]:hover {{ background: {t.sunken}; }}
QToolButton[role="icon"]:focus {{ border: 2px solid {t.accent}; padding: 2px; }}

QLineEdit, QComboBox, QSpinBox, QDoubleSpinBox, QDateEdit, QPlainTextEdit {{
    background: {t.surface}; border: 1px solid {t.border}; border-radius: 8px; padding: 6px 10px; min-height: 20px;
    selection-background-color: {t.accent}; selection-color: {t.on_accent};
}}
QLineEdit:focus, QComboBox:focus, QSpinBox:focus, QDoubleSpinBox:focus, QDateEdit:focus, QPlainTextEdit:focus {{
    border: 2px solid {t.accent}; padding: 5px 9px;
}}
QLineEdit:disabled, QComboBox:disabled {{ background: {t.sunken}; color: {t.muted}; }}
QComboBox::drop-down {{ border: none; width: 28px; }}
QComboBox::down-arrow, QDateEdit::down-arrow {{ image: {down}; width: 14px; height: 14px; }}
QSpinBox::up-arrow, QDoubleSpinBox::up-arrow {{ image: {up}; width: 10px; height: 10px; }}
QSpinBox::down-arrow, QDoubleSpinBox::down-arrow {{ image: {down}; width: 10px; height: 10px; }}
QSpinBox::up-button, QSpinBox::down-button, QDoubleSpinBox::up-button, QDoubleSpinBox::down-button {{
    border: none; background: transparent; width: 18px;
}}
QComboBox QLineEdit, QComboBox QLineEdit:focus, QAbstractSpinBox QLineEdit, QAbstractSpinBox QLineEdit:focus {{
    border: none; padding: 0; min-height: 0; background: transparent;
}}
QComboBox QAbstractItemView, QMenu {{
    background: {t.surface}; border: 1px solid {t.border}; padding: 4px; outline: none;
    selection-background-color: {t.accent_soft}; selection-color: {t.text};
}}
QMenu::item {{ padding: 6px 22px; border-radius: 6px; }}
QMenu::item:selected {{ background: {t.accent_soft}; }}

QListView, QTableView, QTreeView {{
    background: {t.surface}; border: 1px solid {t.border}; border-radius: 10px; outline: none; padding: 4px;
    alternate-background-color: {t.window}; gridline-color: {t.border};
    selection-background-color: {t.accent_soft}; selection-color: {t.text};
}}
QListView::item {{ border-radius: 6px; padding: 7px 8px; }}
QListView::item:hover {{ background: {t.sunken}; }}
QListView::item:selected {{ background: {t.accent_soft}; color: {t.text}; }}
QListView:focus, QTableView:focus {{ border: 2px solid {t.accent}; padding: 3px; }}
QTableView[role="plain"], QTableView[role="plain"]:focus {{ border: none; border-radius: 0; padding: 0; }}
QTableView::item {{ padding: 5px 8px; border-bottom: 1px solid {t.sunken}; }}
QTableView::item:selected {{ background: {t.accent_soft}; color: {t.text}; }}
QHeaderView::section {{
    background: {t.surface}; color: {t.muted}; border: none; border-bottom: 1px solid {t.border}; padding: 6px 8px;
}}
QTableCornerButton::section {{ background: {t.surface}; border: none; }}

QCheckBox::indicator, QTableView::indicator, QListView::indicator {{
    width: 16px; height: 16px; border: 1.5px solid {t.muted}; border-radius: 4px; background: {t.surface};
}}
QCheckBox::indicator:checked, QTableView::indicator:checked, QListView::indicator:checked {{
    border-color: {t.accent}; background: {t.accent}; image: {tick};
}}
QCheckBox::indicator:focus {{ border-color: {t.accent}; }}

QScrollArea {{ border: none; background: transparent; }}
QScrollArea > QWidget > QWidget#scroll-body {{ background: transparent; }}
QScrollBar:vertical {{ background: transparent; width: 10px; margin: 0; }}
QScrollBar:horizontal {{ background: transparent; height: 10px; margin: 0; }}
QScrollBar::handle {{ background: {t.border}; border-radius: 4px; min-height: 30px; min-width: 30px; margin: 1px; }}
QScrollBar::handle:hover {{ background: {t.muted}; }}
QScrollBar::add-line, QScrollBar::sub-line, QScrollBar::add-page, QScrollBar::sub-page {{
    background: none; border: none; height: 0; width: 0;
}}

QProgressBar {{ background: {t.sunken}; border: none; border-radius: 3px; max-height: 6px; min-height: 6px; }}
QProgressBar::chunk {{ background: {t.accent}; border-radius: 3px; }}
QStatusBar {{ background: {t.surface}; border-top: 1px solid {t.border}; }}
QStatusBar::item {{ border: none; }}
QSplitter::handle {{ background: transparent; }}
QTabWidget::pane {{ border: none; }}
QTabBar {{ background: transparent; }}
QTabBar::tab {{
    background: transparent; color: {t.muted}; padding: 7px 14px; border: none; border-bottom: 2px solid transparent;
}}
QTabBar::tab:selected {{ color: {t.text}; border-bottom-color: {t.accent}; font-weight: 600; }}
QTabBar::tab:focus {{ color: {t.accent}; }}

QFrame#drop-zone {{ background: {t.window}; border: 2px dashed {t.border}; border-radius: 10px; }}
QFrame#drop-zone[active="true"] {{ background: {t.accent_soft}; border-color: {t.accent}; }}
"""
