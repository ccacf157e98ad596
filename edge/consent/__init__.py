"""What people in the vehicle agreed to, refused and withdrew: a ledger in the journal's chain."""
