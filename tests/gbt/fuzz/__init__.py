"""Fuzzing of GB/T 32960.3: millions of inputs through every reader."""
