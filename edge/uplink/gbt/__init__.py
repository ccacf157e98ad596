"""The terminal of GB/T 32960.3: its session with a platform, without I/O but for `link.py`."""
