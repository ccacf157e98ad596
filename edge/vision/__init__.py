"""Cameras: what they see is made unrecognisable in the vehicle, before anything is encoded, kept or sent."""
