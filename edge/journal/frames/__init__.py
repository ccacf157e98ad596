"""Raw frames as the plaintext of one block."""
