"""A process of capture as its parent has it: started, connected to, and buried."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import edge
from edge.capturing.child import WAITED_OUT
from edge.capturing.connection import Connection
from edge.capturing.rights import Rights
from edge.errors import SourceError

_REAP_S = 2.0
_ROOT = Path(edge.__file__).parents[1]
_PROGRAM = (
    "import sys; sys.path.append(sys.argv[1]); from edge.capturing.rights import give_up, of_text; "
    "lacking = give_up(of_text(sys.argv[4])); from edge.capturing.child import main; "
    "main(int(sys.argv[2]), int(sys.argv[3]), lacking)"
)


class StartedProcess:
    """A process of capture that runs, or has died and is not buried yet.

    It is a new program, not a fork: what the parent's threads hold is not in it. It dies with the thread that
    started it.

    Args:
        rights: what it keeps of this process's rights; the others are given up before it imports anything.

    Attributes:
        connection: to it.

    Raises:
        SourceError: it cannot be started.
    """

    def __init__(self, rights: Rights) -> None:
        ours, theirs = socket.socketpair()
        # Until the process has its own way with these signals they wait, or a Ctrl-C would end it at once.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, WAITED_OUT)
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the interpreter that runs already
                [
                    *(sys.executable, "-P", "-c", _PROGRAM, _ROOT),
                    *(str(theirs.fileno()), str(os.getpid()), rights.text()),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        except OSError as error:
            ours.close()
            raise SourceError(f"cannot be started: {error.strerror}", where="capture") from error
        finally:
            theirs.close()
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self.connection = Connection(ours)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def bury(self, *, kill: bool) -> str:
        """Close the connection, wait until it has died, and tell how.

        Args:
            kill: whether it is killed at once; otherwise it has two seconds to end by itself.
        """
        self.connection.close()
        if kill:
            self._process.kill()
        try:
            status = self._process.wait(_REAP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        if status >= 0:
            return f"ended with status {status}"
        return f"was killed by {signal.Signals(-status).name}"
