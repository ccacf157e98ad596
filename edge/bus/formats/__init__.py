"""One module a recording format; each knows its bytes and nothing of buses' names or batches' sizes."""
