"""The tables of the board: a fold of handover.board.v1, rebuilt by a recovery. Moments are µs since 1970, UTC."""

from __future__ import annotations

import sqlalchemy as sa

from services.bus.tables import Bytes

metadata = sa.MetaData()

epoch = sa.Table(
    "board_epoch",
    metadata,
    sa.Column("one", sa.Integer, primary_key=True),  # 1: there is one row, and another after each recovery
    sa.Column("epoch", sa.Text, nullable=False),
)

counter = sa.Table(
    "board_counter",
    metadata,
    sa.Column("one", sa.Integer, primary_key=True),  # 1: there is one row
    sa.Column("last", sa.BigInteger, nullable=False),  # the number given last; no number is left out
)

card = sa.Table(
    "board_card",
    metadata,
    sa.Column("matter_id", sa.Text, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("no", sa.BigInteger, nullable=False),  # of its latest change, counted over the whole board
    sa.Column("child_id", sa.Text),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("team", sa.Text, nullable=False),
    sa.Column("taken_by", sa.Text),  # person_id
    sa.Column("open", sa.Boolean, nullable=False),
    sa.Column("interrupts", sa.Boolean, nullable=False),  # immediate danger that nobody has taken (H7)
    sa.Column("changed_us", sa.BigInteger, nullable=False),
    sa.Column("content", Bytes, nullable=False),  # the MatterChanged, as JSON
    sa.Index("board_card_no", "no", unique=True),
    sa.Index("board_card_open", "open", "team"),
    sa.Index("board_card_shown", "open", "interrupts", "team", "state", "taken_by"),  # what every page counts
    sa.Index("board_card_taken", "taken_by"),
    sa.Index("board_card_changed", "changed_us"),
)

recorded = sa.Table(
    "board_recorded",  # what the directory said last of each child with a matter, once it said something else
    metadata,
    sa.Column("child_id", sa.Text, primary_key=True),  # or an unmatched child's matter, of those who it may be
    sa.Column("version", sa.BigInteger, nullable=False),  # of the record; of an unmatched child, when it came, µs
    sa.Column("said", Bytes, nullable=False),  # a digest of what a card shows of it
    sa.Column("cued", sa.Boolean, nullable=False),  # the matter was told, or its card says so already
    sa.Index("board_recorded_cued", "cued"),
)

act = sa.Table(
    "board_act",  # each act, whole, also when its card has room for it no more; who acted waits for it here
    metadata,
    sa.Column("act_id", sa.Text, primary_key=True),
    sa.Column("matter_id", sa.Text, nullable=False),
    sa.Column("act", sa.Text, nullable=False),
    sa.Column("person_id", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("post", sa.Text, nullable=False),
    sa.Column("team", sa.Text, nullable=False),
    sa.Column("acted_us", sa.BigInteger, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("refused", sa.Text),  # why, in a sentence; null when it was accepted
    sa.Index("board_act_acted", "acted_us"),
    sqlite_with_rowid=False,
)
