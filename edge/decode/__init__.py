"""From batches of frames to columns of physical values."""

import edge.lean_cantools  # noqa: F401 - before anything that imports cantools
