"""Imports python-can without asammdf.

python-can loads asammdf, and with it pandas, whenever it is installed: 0.7 s and 80 MB that a gateway has no
use for, since MF4 files are read in a process of their own. Importing this before python-can
keeps them out; asammdf itself stays importable.
"""

from __future__ import annotations

import sys

if "can" not in sys.modules and "asammdf" not in sys.modules:
    sys.modules["asammdf"] = None  # type: ignore[assignment] # python-can expects that it may fail
    try:
        import can
    finally:
        del sys.modules["asammdf"]
else:
    import can

__all__ = ["can"]
