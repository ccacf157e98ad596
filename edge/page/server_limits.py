"""How much a visitor may send."""

LARGEST_BODY_BYTES = 16_384
