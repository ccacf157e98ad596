"""Whole recordings decoded at once: summed up, and written as tables."""
