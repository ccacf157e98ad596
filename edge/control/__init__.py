"""The local socket by which commands and the driver's page speak with a running gateway."""
