"""DBC, KCD, ARXML and SYM files, loaded through cantools and laid out as bits."""

import edge.lean_cantools  # noqa: F401 - before anything that imports cantools
