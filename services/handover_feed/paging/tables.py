"""Escalations as the log has them, and how far paging is with each. Moments are µs since 1970, UTC."""

from __future__ import annotations

import sqlalchemy as sa

from services.handover_feed import tables as own
from services.handover_feed.board import tables as board

escalation = sa.Table(
    "board_escalation",  # a fold of handover.escalations.v1, rebuilt by a recovery
    board.metadata,
    sa.Column("escalation_id", sa.Text, primary_key=True),
    sa.Column("matter_id", sa.Text, nullable=False),
    sa.Column("child_id", sa.Text),
    sa.Column("reached", sa.Boolean, nullable=False),  # the manager was paged
    sa.Column("waiting_us", sa.BigInteger, nullable=False),  # since when the matter has waited
    sa.Column("due_us", sa.BigInteger, nullable=False),  # when the log first said that the manager is to be paged
    sa.Index("board_escalation_reached", "reached"),
    sa.Index("board_escalation_matter", "matter_id"),
    sa.Index("board_escalation_due", "due_us"),
)

passed_on = sa.Table(
    "board_passed_on",  # escalations of what a worker may not open (H3): paged at once, whether or not it is danger
    board.metadata,
    sa.Column("escalation_id", sa.Text, primary_key=True),
)

deaf = sa.Table(
    "board_deaf",  # the board's own: that it hears nothing was told, and to be told is that it hears again
    own.metadata,
    sa.Column("deaf_id", sa.Text, primary_key=True),
    sa.Column("since_us", sa.BigInteger, nullable=False),
    sa.Column("holder", sa.Text, nullable=False),  # the process that hears nothing; none once that is over
    sa.Column("until_us", sa.BigInteger, nullable=False),  # real time: it says so again and again while it lasts
)

page = sa.Table(
    "board_page",  # the board's own, which a recovery leaves: nobody is paged again because of one
    own.metadata,
    sa.Column("escalation_id", sa.Text, primary_key=True),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("said", sa.Integer, nullable=False),  # after how many attempts it was said last that nobody was reached
    sa.Column("reached", sa.Boolean, nullable=False),
    sa.Column("next_us", sa.BigInteger, nullable=False),  # nothing is tried before
    sa.Column("leased_by", sa.Text),  # whose turn it is: one process pages
    sa.Column("leased_until_us", sa.BigInteger, nullable=False),
)
