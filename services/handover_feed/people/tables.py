"""Who may sign in at the board, their one-time links and sessions; a recovery leaves them."""

from __future__ import annotations

import sqlalchemy as sa

from services.bus.tables import Bytes
from services.handover_feed.tables import metadata
from services.people.tables import link_table, session_table

staff = sa.Table(
    "board_staff",
    metadata,
    sa.Column("person_id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("post", sa.Text, nullable=False),  # such as out-of-hours social worker
    sa.Column("team", sa.Text, nullable=False),  # DAY or NIGHT
    sa.Column("role", sa.Text, nullable=False),  # one of ROLES (site.py)
    sa.Column("subject", sa.Text),  # the issuer's name for this person (OpenID Connect `sub`)
    sa.Column("closed_us", sa.BigInteger),
    sa.UniqueConstraint("subject"),
)

link = link_table("board_link", metadata, staff.c.person_id)
session = session_table("board_session", metadata, staff.c.person_id)

draft = sa.Table(
    "board_draft",  # what a person has typed and not sent: shown to that person alone, and kept for a day
    metadata,
    sa.Column("person_id", sa.Text, primary_key=True),
    sa.Column("path", sa.Text, primary_key=True),  # of the form
    sa.Column("at_us", sa.BigInteger, nullable=False),
    sa.Column("typed", Bytes, nullable=False),  # JSON: by field, its values
    sa.Index("board_draft_at", "at_us"),
)
