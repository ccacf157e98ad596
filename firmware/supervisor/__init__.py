"""The power supervisor: owns the power of the gateway beside this microcontroller."""
