"""The tables of the inboxes: a fold of the log, rebuilt by a recovery. Moments are µs since 1970, UTC."""

from __future__ import annotations

import sqlalchemy as sa

from services.bus.tables import Bytes

metadata = sa.MetaData()

epoch = sa.Table(
    "inbox_epoch",
    metadata,
    sa.Column("one", sa.Integer, primary_key=True),  # 1: there is one row, and another after each recovery
    sa.Column("epoch", sa.Text, nullable=False),
)

counter = sa.Table(
    "inbox_counter",
    metadata,
    sa.Column("organisation", sa.Text, primary_key=True),
    sa.Column("last", sa.BigInteger, nullable=False),  # the number given last; no number is left out
    sa.Column("unfinished", sa.BigInteger, nullable=False, default=0),  # how many of its entries are not FINISHED
)

entry = sa.Table(
    "inbox_entry",
    metadata,
    sa.Column("organisation", sa.Text, primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True),
    sa.Column("disclosure_id", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("time_us", sa.BigInteger, nullable=False),  # when it was said
    sa.Column("correlation", sa.Text, nullable=False),  # source and id of what started it
    sa.Column("child_id", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("due_us", sa.BigInteger),
    sa.Column("declare_no_conflict", sa.Boolean, nullable=False),
    sa.Column("location_confidential", sa.Boolean, nullable=False),
    sa.Column("content", Bytes, nullable=False),  # the event's body as JSON
    sa.Column("urgency", sa.SmallInteger, nullable=False),  # of its state now (urgency.py), with `order_us`
    sa.Column("order_us", sa.BigInteger, nullable=False),
    sa.Index("inbox_entry_once", "disclosure_id", unique=True),  # so that a receipt is for one (decide.py)
    sa.Index("inbox_entry_of_cause", "correlation"),
    sa.Index("inbox_entry_by_urgency", "organisation", "urgency", "order_us", "number", unique=True),
    sqlite_with_rowid=False,
)

reading = sa.Table(
    "inbox_reading",
    metadata,
    sa.Column("disclosure_id", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, primary_key=True),  # READ, ACTED
    sa.Column("at_us", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

distribution = sa.Table(
    "inbox_distribution",  # of minutes: which documents an organisation may have (H4)
    metadata,
    sa.Column("organisation", sa.Text, primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True),  # its inbox entry's
    sa.Column("meeting_id", sa.Text, nullable=False),
    sa.Column("disclosure_id", sa.Text, nullable=False),
    sa.Column("supersedes", sa.Text),  # disclosure_id
    sa.Column("declare_no_conflict", sa.Boolean, nullable=False),
    sa.Column("sha256", sa.Text),  # of the document that was given; null if none was
    sa.Column("size", sa.BigInteger),
    sa.Column("media_type", sa.Text),
    sa.Index("inbox_distribution_of_document", "organisation", "sha256"),
    sa.Index("inbox_distribution_of_meeting", "organisation", "meeting_id", "number"),
    sa.Index("inbox_distribution_superseding", "organisation", "supersedes", "number"),
)  # with SQLite's row ids: without, it thinks all of an organisation's rows cheaper to read than those of an index

meeting = sa.Table(
    "inbox_meeting",  # what its chair and the police have decided about its minutes, as it stands (H4)
    metadata,
    sa.Column("meeting_id", sa.Text, primary_key=True),
    sa.Column("version", sa.BigInteger),  # of its record; null while only its minutes are known
    sa.Column("lado", sa.Boolean, nullable=False),
    sa.Column("approved_us", sa.BigInteger),  # of its latest minutes
    sa.Column("embargo", sa.Boolean, nullable=False),
    sqlite_with_rowid=False,
)

invitee = sa.Table(
    "inbox_invitee",  # who may have the minutes of a meeting in full
    metadata,
    sa.Column("meeting_id", sa.Text, primary_key=True),
    sa.Column("organisation", sa.Text, primary_key=True),
    sqlite_with_rowid=False,
)
