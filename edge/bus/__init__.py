"""Where frames come from: live interfaces and recorded files."""
