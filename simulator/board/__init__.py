"""A bridge without hardware: the firmware on a real MicroPython behind a port, its buses played."""
