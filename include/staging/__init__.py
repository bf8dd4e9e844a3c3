"""Staging files: what a source delivered, whole and checkable, before it is loaded."""
