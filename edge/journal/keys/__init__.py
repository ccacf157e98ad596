"""Data keys, the store that keeps them wrapped, and what wraps them."""
