"""A destination that speaks GB/T 32960.3, put together: keys, composer, session, link."""
