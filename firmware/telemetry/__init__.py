"""Telemetry that stands alone: samples, keeps records through outages, brings them to the platform."""
