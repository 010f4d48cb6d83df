"""How SQLite goes about what is asked of it: for tests that no statement reads more than it is about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa


@contextmanager
def plans(engine: sa.Engine) -> Iterator[list[str]]:
    """How it goes about each statement of this block, after it ended."""
    asked, found = list[tuple[str, Any]](), list[str]()

    def note(_connection: object, _cursor: object, statement: str, given: Any, _context: object, many: bool) -> None:
        asked.append((statement, given[0] if many else given))

    sa.event.listen(engine, "before_cursor_execute", note)
    yield found
    sa.event.remove(engine, "before_cursor_execute", note)
    with engine.begin() as connection:
        for statement, given in asked:
            if not statement.startswith(("BEGIN", "PRAGMA")):
                explained = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given)
                found += [f"{row[3]}, by {statement}" for row in explained if "CONSTANT ROW" not in row[3]]
