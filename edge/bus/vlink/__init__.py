"""The host's side of vlink: frames from a microcontroller, their times, and what was lost on the way."""
