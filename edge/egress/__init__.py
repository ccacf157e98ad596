"""The test whether the vehicle sends anything where it must not: packets in, judged destinations out."""
