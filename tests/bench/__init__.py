"""What `make bench` measures: ours and a peer in turn in one process."""
