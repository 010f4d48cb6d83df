"""What the board itself remembers and no log holds; a recovery leaves it. Moments are µs since 1970, UTC."""

from __future__ import annotations

import sqlalchemy as sa

from services.bus.tables import Bytes

metadata = sa.MetaData()

declared = sa.Table(
    "board_declared",  # what a worker said before a card was opened to them (H3)
    metadata,
    sa.Column("person_id", sa.Text, primary_key=True),
    sa.Column("matter_id", sa.Text, primary_key=True),
    sa.Column("no_conflict", sa.Boolean, nullable=False),  # false: the card stays closed to this worker
    sa.Column("at_us", sa.BigInteger, nullable=False),
    sa.Index("board_declared_at", "at_us"),
)

board_key = sa.Table(
    "board_key",  # of teams' own screens: they read, and do nothing
    metadata,
    sa.Column("key_id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),  # whose screen it is
    sa.Column("hash", Bytes, nullable=False),  # SHA-256 of the secret, which is random: nothing to guess
    sa.Column("created_us", sa.BigInteger, nullable=False),
    sa.Column("expires_us", sa.BigInteger, nullable=False),
    sa.Column("revoked_us", sa.BigInteger),
)
