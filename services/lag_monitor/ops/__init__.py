"""The operators' page: lag, rates, latencies, health, dead letters and the probe, for those without Prometheus."""
