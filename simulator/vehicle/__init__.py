"""The reference electric vehicle: its physics and the frames that its buses carry."""
