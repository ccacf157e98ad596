"""Codecs without I/O: the signed CBOR messages."""
