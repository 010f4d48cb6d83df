"""A client for other agencies' systems: publish events, read the own inbox, write receipts, check webhooks.

It needs httpx and standardwebhooks and nothing else of this house. docs/client.md shows its use.
"""

from services.client.client import Client
from services.client.cursors import CursorStore, FileCursorStore
from services.client.errors import (
    BadAnswer,
    ClientError,
    EpochChanged,
    ForgedWebhook,
    IdReused,
    Invalid,
    NotAllowed,
    NotFound,
    NotIdentified,
    OutOfStep,
    Refused,
    TryAgain,
)
from services.client.retrying import Patience
from services.client.sync import SyncClient
from services.client.values import Disclosure, Document, Outgoing, Proof, Published
from services.client.webhooks import verify_webhook

__all__ = [
    "BadAnswer",
    "Client",
    "ClientError",
    "CursorStore",
    "Disclosure",
    "Document",
    "EpochChanged",
    "FileCursorStore",
    "ForgedWebhook",
    "IdReused",
    "Invalid",
    "NotAllowed",
    "NotFound",
    "NotIdentified",
    "OutOfStep",
    "Outgoing",
    "Patience",
    "Proof",
    "Published",
    "Refused",
    "SyncClient",
    "TryAgain",
    "verify_webhook",
]
