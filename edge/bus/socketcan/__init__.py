"""SocketCAN without python-can: frames of the kernel's CAN interfaces, a batch at a time, every loss counted."""
