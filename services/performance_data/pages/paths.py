"""Where the pages' files stand."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).resolve().parent
"""Holds `templates` and `static`."""
STATIC, TEMPLATES = FOLDER / "static", FOLDER / "templates"
