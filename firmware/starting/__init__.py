"""How a board starts the bundle that was chosen, tells that it is well, and goes back where it is not."""
