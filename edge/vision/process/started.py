"""The process of a camera as its parent has it: started, heard, and reaped without ever waiting for it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, suppress
from pathlib import Path

import edge
from edge.capturing.rights import Rights
from edge.errors import VisionError
from edge.vision.process.channel import Channel
from edge.vision.process.child import WAITED_OUT
from edge.vision.process.messages import Messages

_ROOT = Path(edge.__file__).parents[1]
_PROGRAM = (
    "import sys; sys.path.append(sys.argv[1]); from edge.capturing.rights import give_up, of_text; "
    "lacking = give_up(of_text(sys.argv[5])); from edge.vision.process.child import main; "
    "main(int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[6], lacking)"
)
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
    "OPENCV_LOG_LEVEL": "SILENT",
    "OPENCV_FFMPEG_LOGLEVEL": "-8",
}
_TAKEN_OVER = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "TZ", "VIRTUAL_ENV")
_WORDS_BYTES = 1 << 14


class StartedVision:
    """A process of a camera that runs, or has died and is not reaped yet.

    It is a new program, not a fork, and dies with the thread that started it. What libraries write to its
    standard streams comes here by a pipe, and is counted, never shown.

    Args:
        rights: what it keeps of this process's rights; the others are given up before it imports anything.
        opening: see `edge.vision.process.opening.opening_of`.

    Attributes:
        channel: to it.

    Raises:
        VisionError: it cannot be started.
    """

    def __init__(self, rights: Rights, opening: str) -> None:
        with ExitStack() as undone:
            try:
                ours, theirs = socket.socketpair()
                undone.callback(ours.close)
                undone.callback(theirs.close)
                lease, self._lease = os.pipe()
                undone.callback(os.close, lease)
                undone.callback(os.close, self._lease)
                self._words, words = os.pipe()
            except OSError as error:
                raise VisionError(f"cannot be started: {error.strerror}", where="vision") from error
            undone.pop_all()
        # Until the process has its own way with these signals they wait, or a Ctrl-C would end it at once.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, WAITED_OUT)
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the interpreter that runs already
                [
                    *(sys.executable, "-P", "-c", _PROGRAM, _ROOT),
                    *(str(theirs.fileno()), str(lease), str(os.getpid()), rights.text(), opening),
                ],
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=words,
                pass_fds=[theirs.fileno(), lease],
                env={
                    **{name: os.environ[name] for name in _TAKEN_OVER if name in os.environ},
                    **_ENVIRONMENT,
                },
            )
        except OSError as error:
            ours.close()
            os.close(self._lease)
            os.close(self._words)
            raise VisionError(f"cannot be started: {error.strerror}", where="vision") from error
        finally:
            theirs.close()
            os.close(lease)
            os.close(words)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.set_blocking(self._words, False)
        os.set_blocking(self._lease, False)
        self.channel = Channel(ours, Messages.to_gateway())

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def go_on(self) -> None:
        """Say that the camera may go on."""
        # A full pipe says it as well, and one that is broken is seen elsewhere.
        with suppress(OSError):
            os.write(self._lease, b".")

    def words_bytes(self) -> int:
        """How many bytes it has written to its standard streams since this was asked last."""
        try:
            return len(os.read(self._words, _WORDS_BYTES))
        except OSError:
            return 0

    def kill(self) -> None:
        """Kill it, and let go of what leads to it; the kernel closes what it has open."""
        self._process.kill()
        self.channel.close()
        for descriptor in (self._lease, self._words):
            with suppress(OSError):
                os.close(descriptor)

    def reaped(self) -> str | None:
        """How it died; None while it has not."""
        status = self._process.poll()
        if status is None:
            return None
        if status >= 0:
            return f"ended with status {status}"
        try:
            return f"was killed by {signal.Signals(-status).name}"
        except ValueError:
            return f"was killed by signal {-status}"
