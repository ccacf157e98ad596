"""From batches of frames to columns of physical values."""
