"""The bridge: frames from a CAN controller to the line, and nothing to the bus."""
