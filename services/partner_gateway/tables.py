"""What the gateway itself remembers and no log holds; a recovery leaves it. Moments are µs since 1970, UTC."""

from __future__ import annotations

import sqlalchemy as sa

from services.bus.tables import Bytes

metadata = sa.MetaData()

partner = sa.Table(
    "partner",
    metadata,
    sa.Column("organisation", sa.Text, primary_key=True),  # as in directory.organisations
    sa.Column("acts_as", sa.Text, nullable=False),  # the catalogue's principal whose events it may post
    sa.Column("sandbox", sa.Boolean, nullable=False),
    sa.Column("created_us", sa.BigInteger, nullable=False),
    sa.Column("closed_us", sa.BigInteger),
)

api_key = sa.Table(
    "api_key",
    metadata,
    sa.Column("key_id", sa.Text, primary_key=True),
    sa.Column("organisation", sa.Text, sa.ForeignKey(partner.c.organisation), nullable=False),
    sa.Column("hash", Bytes, nullable=False),  # SHA-256 of the secret, which is random: nothing to guess
    sa.Column("scopes", sa.Text, nullable=False),  # event types and `inbox`, separated by spaces
    sa.Column("created_us", sa.BigInteger, nullable=False),
    sa.Column("expires_us", sa.BigInteger, nullable=False),
    sa.Column("revoked_us", sa.BigInteger),
)

token_client = sa.Table(
    "token_client",
    metadata,
    sa.Column("client_id", sa.Text, primary_key=True),  # as the issuer of access tokens names a partner's system
    sa.Column("organisation", sa.Text, sa.ForeignKey(partner.c.organisation), nullable=False),
    sa.Column("scopes", sa.Text, nullable=False),  # as a key's
)

person = sa.Table(
    "person",
    metadata,
    sa.Column("person_id", sa.Text, primary_key=True),
    sa.Column("organisation", sa.Text, sa.ForeignKey(partner.c.organisation), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("post", sa.Text, nullable=False),  # such as designated safeguarding lead
    sa.Column("subject", sa.Text),  # the issuer's name for this person (OpenID Connect `sub`)
    sa.Column("email", sa.Text),  # where a notice says that something waits
    sa.Column("closed_us", sa.BigInteger),
    sa.UniqueConstraint("subject"),
)

link = sa.Table(
    "one_time_link",
    metadata,
    sa.Column("hash", Bytes, primary_key=True),
    sa.Column("person_id", sa.Text, sa.ForeignKey(person.c.person_id), nullable=False),
    sa.Column("expires_us", sa.BigInteger, nullable=False),
    sa.Column("used_us", sa.BigInteger),
)

session = sa.Table(
    "session",
    metadata,
    sa.Column("hash", Bytes, primary_key=True),  # of the cookie's value
    sa.Column("person_id", sa.Text, sa.ForeignKey(person.c.person_id), nullable=False),
    sa.Column("csrf", sa.Text, nullable=False),
    sa.Column("used_us", sa.BigInteger, nullable=False),
    sa.Column("began_us", sa.BigInteger, nullable=False),
)

opening = sa.Table(
    "opening",
    metadata,
    sa.Column("disclosure_id", sa.Text, primary_key=True),
    sa.Column("person_id", sa.Text, primary_key=True),  # or, from an organisation's own system, the practitioner
    sa.Column("no_conflict_us", sa.BigInteger, nullable=False),  # when the reader declared that there is none (H3)
)

receipt = sa.Table(
    "receipt",
    metadata,
    sa.Column("receipt_id", sa.Text, primary_key=True),
    sa.Column("organisation", sa.Text, nullable=False),
    sa.Column("disclosure_id", sa.Text, nullable=False, index=True),
    sa.Column("practitioner", sa.Text, nullable=False),  # also where the receipt itself may not say it (H2)
    sa.Column("happened_us", sa.BigInteger, nullable=False),  # as first said, so that a repeat says the same
    sa.Column("at_us", sa.BigInteger, nullable=False),
)

conflict = sa.Table(
    "conflict",
    metadata,
    sa.Column("disclosure_id", sa.Text, primary_key=True),
    sa.Column("person_id", sa.Text, sa.ForeignKey(person.c.person_id), primary_key=True),
    sa.Column("declared_us", sa.BigInteger, nullable=False),  # it does not open to who is or may be connected (H3)
)

posted = sa.Table(
    "posted",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("event_id", sa.Text, primary_key=True),
    sa.Column("organisation", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("digest", Bytes, nullable=False),  # of the content, as the loop's (codec.digest)
    sa.Column("at_us", sa.BigInteger, nullable=False, index=True),
    sa.Column("acknowledged", sa.Boolean, nullable=False),
    sa.Index("posted_by", "organisation", "at_us"),
)

disclosing = sa.Table(
    "disclosing",
    metadata,
    sa.Column("disclosure_id", sa.Text, primary_key=True),  # as a partner chose it, and the one event that may tell it
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("at_us", sa.BigInteger, nullable=False, index=True),
)

webhook = sa.Table(
    "webhook",
    metadata,
    sa.Column("webhook_id", sa.Text, primary_key=True),
    sa.Column("organisation", sa.Text, sa.ForeignKey(partner.c.organisation), nullable=False),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("secret", sa.Text, nullable=False),  # Standard Webhooks, whsec_…: it must be at hand to sign with
    sa.Column("epoch", sa.Text, nullable=False),
    sa.Column("next_number", sa.BigInteger, nullable=False),  # the first entry for which no delivery was made yet
    sa.Column("created_us", sa.BigInteger, nullable=False),
    sa.Column("asked_epoch", sa.Text, nullable=False),  # when it was made or last recovered; later ones repeat nothing
    sa.Column("failing", sa.Integer, nullable=False),  # entries in a row that failed at their first attempt
    sa.Column("rest_until_us", sa.BigInteger, nullable=False),  # nothing is tried before
    sa.Column("leased_by", sa.Text),  # whose turn it is: one process sends, in order
    sa.Column("leased_until_us", sa.BigInteger, nullable=False),
    sa.Column("closed_us", sa.BigInteger),
    sa.Column("why_closed", sa.Text),
)

former_secret = sa.Table(
    "webhook_former_secret",
    metadata,
    sa.Column("webhook_id", sa.Text, sa.ForeignKey(webhook.c.webhook_id), primary_key=True),
    sa.Column("secret", sa.Text, primary_key=True),
    sa.Column("until_us", sa.BigInteger, nullable=False),  # it signs beside the present one until then
)

delivery = sa.Table(
    "delivery",
    metadata,
    sa.Column("webhook_id", sa.Text, sa.ForeignKey(webhook.c.webhook_id), primary_key=True),
    sa.Column("epoch", sa.Text, primary_key=True),  # the inbox's, or `late` for notices to senders
    sa.Column("number", sa.BigInteger, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),  # the entry's event type
    sa.Column("about", sa.Text, nullable=False),  # the disclosure's id; of a late one: role, disclosure's id, event id
    sa.Column("made_us", sa.BigInteger, nullable=False),
    sa.Column("until_us", sa.BigInteger, nullable=False),  # given up if it fails after that
    sa.Column("state", sa.Text, nullable=False),  # waiting, delivered, given-up, renumbered
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_us", sa.BigInteger, nullable=False),
    sa.Index("delivery_waiting", "webhook_id", "state", "number", "epoch", "next_us"),  # in the order of sending
    sa.Index("delivery_about", "webhook_id", "about"),
    sa.Index("delivery_made", "webhook_id", "made_us"),
)

attempt = sa.Table(
    "attempt",
    metadata,
    sa.Column("webhook_id", sa.Text, primary_key=True),
    sa.Column("epoch", sa.Text, primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True),
    sa.Column("attempt", sa.Integer, primary_key=True),
    sa.Column("at_us", sa.BigInteger, nullable=False),
    sa.Column("status", sa.Integer),  # of the answer; null when there was none
    sa.Column("what", sa.Text, nullable=False),  # in words, without anything that the other side sent
    sa.Index("attempt_at", "webhook_id", "at_us"),
)

mail_notice = sa.Table(
    "mail_notice",  # what each person's last e-mail spoke of
    metadata,
    sa.Column("person_id", sa.Text, sa.ForeignKey(person.c.person_id), primary_key=True),
    sa.Column("epoch", sa.Text, nullable=False),  # the inbox's; empty before there was anything to say
    sa.Column("number", sa.BigInteger, nullable=False),  # entries above it are new
    sa.Column("sent_us", sa.BigInteger, nullable=False),  # 0: nothing yet
    sa.Column("remind_us", sa.BigInteger),  # when something unread will soon be due
    sa.Column("failing", sa.Integer, nullable=False),  # e-mails in a row that failed
    sa.Column("next_us", sa.BigInteger, nullable=False),  # nothing is tried before
    sa.Column("leased_by", sa.Text),  # whose turn it is: one process sends
    sa.Column("leased_until_us", sa.BigInteger, nullable=False),
)

document = sa.Table(
    "document",
    metadata,
    sa.Column("sha256", sa.Text, primary_key=True),
    sa.Column("organisation", sa.Text, primary_key=True),  # who uploaded it
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("media_type", sa.Text, nullable=False),
    sa.Column("at_us", sa.BigInteger, nullable=False),
)
