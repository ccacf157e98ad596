"""One module a recording format; each knows its bytes and nothing of buses' names or batches' sizes."""

import edge.lean_can  # noqa: F401 - before anything that imports python-can
