"""A platform that speaks GB/T 32960.3 of both editions: for the bench, or in between."""
