"""Imports cantools without its tester, which loads python-can.

cantools imports everything that it has, and its tester, which nevgate does not use, python-can: 90 ms on a
desktop and 5 MB of each process that reads a database. Importing this before cantools keeps it out; the
tester stays importable.
"""

from __future__ import annotations

import sys
from types import ModuleType

_TESTER = "cantools.tester"

if "cantools" not in sys.modules:
    sys.modules[_TESTER] = ModuleType(_TESTER)
    try:
        import cantools
    finally:
        del sys.modules[_TESTER]
    vars(cantools).pop("tester", None)
