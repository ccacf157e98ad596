"""The tests mirror the rooms: one folder a room."""
