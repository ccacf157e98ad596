"""A gateway over days of simulated time."""
