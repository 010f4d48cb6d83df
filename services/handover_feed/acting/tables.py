"""What was said at the board and is on its way to Kafka. Moments are µs since 1970, UTC."""

from __future__ import annotations

import sqlalchemy as sa

from services.bus.tables import Bytes
from services.handover_feed.tables import metadata

letter = sa.Table(
    "board_letter",  # what a person did: the first that was said under an id is the only one
    metadata,
    sa.Column("event_id", sa.Text, primary_key=True),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("asked", Bytes, nullable=False),  # digest of what the form said, which is not when
    sa.Column("at_us", sa.BigInteger, nullable=False),  # when it was said first, which a repeat does not change
    sa.Column("content", Bytes),  # the event as JSON; null once Kafka has it
    sa.Index("board_letter_at", "at_us"),
)

sending = sa.Table(
    "board_sending",  # what one process is about to send, so that another does not send it too
    metadata,
    sa.Column("event_id", sa.Text, primary_key=True),
    sa.Column("holder", sa.Text, nullable=False),
    sa.Column("until_us", sa.BigInteger, nullable=False),  # real time: whoever has it longer is gone
)

outgoing = sa.Table(
    "board_outgoing",  # what the board says by itself: sent until Kafka has it, then gone
    metadata,
    sa.Column("event_id", sa.Text, primary_key=True),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("at_us", sa.BigInteger, nullable=False),
    sa.Column("content", Bytes, nullable=False),  # the event as JSON
    sa.Index("board_outgoing_at", "at_us"),
)
