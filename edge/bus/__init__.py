"""Where frames come from: live interfaces and recorded files."""

from edge.bus.can_words import keep_log_back

keep_log_back()
