"""`python -m tests.offline.small_pieces WORD...`: `nevgate` that cuts recordings into pieces of one block."""

from __future__ import annotations

from unittest import mock

from edge.bus.formats.lines import BLOCK_BYTES
from edge.cli.program import main
from edge.offline.bulk import BulkDecode

if __name__ == "__main__":
    with mock.patch.dict(BulkDecode.__init__.__kwdefaults__ or {}, piece_bytes=BLOCK_BYTES):
        main()
