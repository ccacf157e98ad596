"""Drives with consents that change, with canaries in all that a vehicle tells, and a search for them."""
