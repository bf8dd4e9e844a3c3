"""Requests to rate-limited HTTP APIs. Knows no API: what one means by its answers is told by its caller."""
