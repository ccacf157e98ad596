"""The in-vehicle gateway: from CAN frames to signed, acknowledged records."""
