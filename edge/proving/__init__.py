"""Proving: whether what leaves the door ever depends on a bit that the policy forbids, by experiment."""
