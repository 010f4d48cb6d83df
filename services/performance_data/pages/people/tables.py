"""Who may sign in at the performance pages, their one-time links and sessions. No figures; a rebuild leaves them."""

from __future__ import annotations

import sqlalchemy as sa

from services.people.tables import link_table, session_table

STORE = "performance-pages"
"""What the pages' database is called in SAFEBUS_STORE_URL."""

metadata = sa.MetaData()

reader = sa.Table(
    "performance_reader",
    metadata,
    sa.Column("person_id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("post", sa.Text, nullable=False),  # such as partnership analyst
    sa.Column("role", sa.Text, nullable=False),  # one of ROLES (site.py)
    sa.Column("subject", sa.Text),  # the issuer's name for this person (OpenID Connect `sub`)
    sa.Column("closed_us", sa.BigInteger),
    sa.UniqueConstraint("subject"),
)

link = link_table("performance_link", metadata, reader.c.person_id)
session = session_table("performance_session", metadata, reader.c.person_id)
