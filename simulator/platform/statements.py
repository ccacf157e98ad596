"""Takes in what vehicles state beside their records: checkpoints, accounts, time corrections."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from edge.wire.account_message import AccountMessage
from edge.wire.checkpoint import Checkpoint
from edge.wire.time_corrections import TimeCorrections
from simulator.platform.accepted import AcceptedStatement, statement_kind
from simulator.platform.chain import standing
from simulator.platform.comparison import differences, hops_json
from simulator.platform.intake import Alert
from simulator.platform.rows import Evidence, Stream
from simulator.platform.statement_rows import earlier_last_number, read_accounts, read_checkpoints
from simulator.platform.store import Store


class StatementIntake:
    """Stores statements, each once, and says at once what in them cannot be.

    Args:
        store: keeps them.
        alert: told what an operator must look at.
    """

    def __init__(self, store: Store, alert: Callable[[Alert], None]) -> None:
        self._store = store
        self._alert = alert

    def take(self, stream: Stream, accepted: AcceptedStatement, payload: bytes, now_ns: int) -> bool:
        """Take in one statement of `stream`; whether it was not here yet.

        Raises:
            StoreError: if the store cannot be written.
        """
        digest = hashlib.sha256(payload).digest()
        if self._store.knows_message(digest):
            return False
        statement = accepted.statement
        evidence = Evidence(
            sha256=digest,
            kind=statement_kind(statement),
            key_id=accepted.key_id,
            provable=accepted.provable,
            boot=accepted.boot,
            received_ns=now_ns,
            signed=payload,
        )
        message = self._store.add_message(stream, evidence)
        match statement:
            case Checkpoint():
                self._add_checkpoint(stream, message, statement)
                self._judge_checkpoint(stream, digest)
            case AccountMessage():
                self._add_account(stream, message, statement)
            case TimeCorrections():
                self._add_corrections(message, statement)
        return True

    def newest_checkpoint(self, stream: Stream) -> bytes | None:
        """SHA-256 of the stream's checkpoint of the greatest chain number that nothing here contradicts."""
        with self._store.reading() as connection:
            found = connection.execute(
                "SELECT m.sha256 FROM checkpoint c JOIN message m ON m.id = c.message"
                " WHERE c.stream = ? AND c.sound ORDER BY c.last DESC, c.message LIMIT 1",
                (stream.row,),
            ).fetchone()
        return None if found is None else bytes(found[0])

    def _add_checkpoint(self, stream: Stream, message: int, checkpoint: Checkpoint) -> None:
        with self._store.writing() as connection:
            connection.execute(
                "INSERT INTO checkpoint VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)",
                (
                    message,
                    stream.row,
                    checkpoint.first,
                    checkpoint.last,
                    checkpoint.root,
                    checkpoint.link,
                    checkpoint.previous,
                    checkpoint.t_ns,
                    checkpoint.t_ns + checkpoint.wall_offset_ns,
                    int(checkpoint.time_quality),
                    checkpoint.last_number,
                ),
            )

    def _judge_checkpoint(self, stream: Stream, sha256: bytes) -> None:
        """Mark what is unsound: the checkpoint itself, or those that came before the one they name."""
        with self._store.writing() as connection:
            concerned = read_checkpoints(
                connection,
                "WHERE c.stream = ? AND (m.sha256 = ? OR c.previous = ?)",
                (stream.row, sha256, sha256),
            )
            for each in concerned:
                before = read_checkpoints(
                    connection, "WHERE c.stream = ? AND m.sha256 = ?", (stream.row, each.previous or b"")
                )
                in_place = read_checkpoints(
                    connection, "WHERE c.stream = ? AND c.previous IS ?", (stream.row, each.previous)
                )
                found = standing(each, before[0] if before else None, in_place[0])
                if not found.sound:
                    connection.execute(
                        "UPDATE checkpoint SET sound = 0"
                        " WHERE message = (SELECT id FROM message WHERE sha256 = ?)",
                        (each.sha256,),
                    )
                    text = (
                        f"checkpoint of blocks {each.first} to {each.last}: {found}; it is not countersigned"
                    )
                    self._alert(Alert(stream.vehicle, stream.stream, text))

    def _add_account(self, stream: Stream, message: int, account: AccountMessage) -> None:
        counts = stream.sequence.counts_to(account.last_number)
        ledger = account.ledger
        with self._store.writing() as connection:
            connection.execute(
                "INSERT INTO account VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    message,
                    stream.row,
                    account.t_ns,
                    account.since_ns,
                    account.timebase.wall_ns(account.t_ns),
                    int(account.timebase.quality),
                    account.last_number,
                    None if ledger is None else ledger.acknowledged,
                    None if ledger is None else ledger.waiting,
                    None if ledger is None else ledger.given_up,
                    counts.stored,
                    counts.explained,
                    counts.missing,
                    hops_json(account.account),
                ),
            )
            (kept,) = read_accounts(connection, "WHERE a.message = ?", (message,))
            earlier = earlier_last_number(connection, kept)
        for each in differences(kept, earlier):
            self._alert(Alert(stream.vehicle, stream.stream, f"account: {each.name}: {each.detail}"))

    def _add_corrections(self, message: int, corrections: TimeCorrections) -> None:
        with self._store.writing() as connection:
            connection.executemany(
                "INSERT INTO correction (message, vehicle, boot, from_ns, to_ns, wall_offset_ns, quality)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        message,
                        corrections.vehicle,
                        each.boot,
                        each.from_ns,
                        each.to_ns,
                        each.timebase.wall_offset_ns,
                        int(each.timebase.quality),
                    )
                    for each in corrections.corrections
                ],
            )
