"""Item sources beside CAN: satellite positioning and acceleration."""
