"""From batches of frames to columns of physical values."""

import edge.lean_can  # noqa: F401 - before anything that imports python-can
