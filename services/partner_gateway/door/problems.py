"""The gateway's problems are every door's (services/web/problems.py)."""

from __future__ import annotations

from services.web.problems import MEDIA_TYPE, Faults, Problem, install

__all__ = ["MEDIA_TYPE", "Faults", "Problem", "install"]
