"""GB/T 32960.3 in both editions, terminal and platform side: tables, messages, and records as messages."""
