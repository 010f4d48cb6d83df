"""What an e-mail says: that something waits, how much, and by when. Nothing else that is in the tables gets here (H10).

No name of a person, a child or an organisation, and no kind of event: whoever reads over a shoulder, or runs a mail
server on the way, learns that an inbox is not empty.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from hashlib import sha256
from urllib.parse import urlsplit

from services.people import words

_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")
"""A plain address: no quoting, no name, no space or line's end, so nothing that could be another header or command."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One e-mail. Moments are µs since 1970, UTC."""

    to: str
    about: str
    """What it speaks of: the same when it is sent again, as it is not known that it was."""
    count: int
    earliest_us: int | None
    urgent: bool
    now_us: int


def is_address(text: str) -> bool:
    """Whether an e-mail can be sent there."""
    return _ADDRESS.fullmatch(text) is not None


def message(letter: Letter, *, mail_from: str, inbox: str) -> EmailMessage:
    """The letter as it is sent.

    Args:
        inbox: where to sign in, without anything that signs in.

    Raises:
        ValueError: `letter.to` is no address.
    """
    if not is_address(letter.to):
        raise ValueError("not an address")
    made = EmailMessage(policy=SMTP)
    made["From"] = Address(addr_spec=mail_from)
    made["To"] = Address(addr_spec=letter.to)
    made["Subject"] = (
        "Urgent: open your safebus inbox now" if letter.urgent else "Something waits in your safebus inbox"
    )
    made["Date"] = datetime.now(UTC)
    made["Message-ID"] = f"<{sha256(letter.about.encode()).hexdigest()[:32]}@{urlsplit(inbox).hostname}>"
    made["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answer from a machine
    made["X-Auto-Response-Suppress"] = "All"
    made.set_content("\n".join(_lines(letter, inbox)))
    return made


def _lines(letter: Letter, inbox: str) -> list[str]:
    one = letter.count == 1
    said = ["1 item waits" if one else f"{letter.count} items wait", " in your safebus inbox."]
    if letter.urgent:
        said.append(" It cannot wait: open it now." if one else " At least one cannot wait: open it now.")
    lines = ["".join(said)]
    if letter.earliest_us is not None:
        past = letter.earliest_us < letter.now_us
        which = "It" if one else "The earliest"
        lines.append(f"{which} {'was' if past else 'is'} due {words.moment(words.from_us(letter.earliest_us))}.")
    return [
        *lines,
        "",
        "Sign in to read it:" if one else "Sign in to read them:",
        inbox,
        "",
        "This e-mail gives no details, on purpose. It was sent by a machine, and nobody reads replies. If you should",
        "not get it any more, tell whoever looks after the partners at your local authority.",
        "",
    ]
