"""What a journal proves to others: checkpoints, excerpts, and how both are verified."""
