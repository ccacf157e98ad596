"""Everything around the gateway that a bench or CI does not have: vehicle, buses, broker, platform."""
