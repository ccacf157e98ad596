"""Store and forward: which records go to which destination when, signed once and kept until acknowledged."""
