"""A journal that is not whole: how that is found, and what is saved of it."""
