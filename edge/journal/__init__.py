"""The durable, bounded, encrypted and sealed store, its cursors, and the account of what it lost."""
