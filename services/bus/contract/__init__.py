"""The contract: what the schemas promise, and whether an event keeps it.

`load` gives each topic's schema; `python -m services.bus.contract` (`make events`) writes services/bus/events.py.
"""

from services.bus.contract.identifiers import identifier_paths, plain, reason_against
from services.bus.contract.schemas import Schema, fingerprint_of, load

__all__ = ["Schema", "fingerprint_of", "identifier_paths", "load", "plain", "reason_against"]
