"""Where frames come from: live interfaces and recorded files."""

import edge.lean_can  # noqa: F401 - before anything that imports python-can
