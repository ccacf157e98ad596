"""Last known values with age and quality, and the records sampled from them."""
