"""Capture as a process of its own: what is not collected never is in the memory of the rest."""
