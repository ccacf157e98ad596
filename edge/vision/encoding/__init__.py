"""Redacted pixels to stills and clips; nothing but their pixels goes into a file."""
