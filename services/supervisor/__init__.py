"""Keeps every process of the bus running: Kafka and the registry where they are embedded, and each service.

`supervisor.Supervisor` is what `safebus up` and the demo run; `status.running` says whether one runs already. This file
imports neither, so that `safebus status` is quick.
"""
