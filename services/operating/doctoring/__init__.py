"""`safebus doctor`: what the bus needs of a machine and its servers, looked at one by one, each with how to mend it."""

from services.operating.doctoring.finding import Finding, State
from services.operating.doctoring.round import examine

__all__ = ["Finding", "State", "examine"]
