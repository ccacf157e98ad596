"""What the gateway does when the supervisor of its power speaks: ends in order, asks to go on watching."""
