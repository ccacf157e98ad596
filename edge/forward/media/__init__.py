"""Stills and clips on their way from the journal to a destination, after everything else."""
