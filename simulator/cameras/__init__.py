"""Cameras that see drawn streets: pixels, and the truth about them that no detector made."""
