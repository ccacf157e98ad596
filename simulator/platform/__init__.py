"""The other side: a platform that checks, stores, acknowledges and answers."""
