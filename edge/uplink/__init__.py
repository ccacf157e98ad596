"""Sessions with the outside: order, pacing, retry, receipts."""
