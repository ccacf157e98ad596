"""The driver's page: what is collected, what has left, and the buttons that change it."""
