"""safebus: one room a service, one hallway (`services.bus`) that all of them share."""
