"""Ciphers of data units and signatures of reports (GB/T 32960.3), with their keys."""
