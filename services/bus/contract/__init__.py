"""The contract: what the schemas promise, and whether they keep it.

`load` gives each topic's schema; `python -m services.bus.contract` (`make events`) writes services/bus/events.py.
"""

from services.bus.contract.schemas import Schema, load

__all__ = ["Schema", "load"]
