"""Places: where the vehicle may not be known to be, and how exactly it may be known elsewhere."""
