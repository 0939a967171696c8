"""Compliance: monitoring, reports, proof of reserves."""
