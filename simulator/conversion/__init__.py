"""An enterprise platform between vehicles and a government platform: CBOR records in, GB/T 32960.3 out."""
