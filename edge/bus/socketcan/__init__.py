"""SocketCAN without python-can: frames straight from the kernel, a batch at a time, every loss counted."""
