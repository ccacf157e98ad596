"""Where frames come from: live interfaces and recorded files."""

import edge.lean_can  # noqa: F401 - before anything that imports python-can
from edge.bus.can_words import keep_log_back

keep_log_back()
