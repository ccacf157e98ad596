"""Cut the power at each write while a bundle is flashed, started, found good or bad; see what starts then.

Argument: a file of JSON with the texts of agent, trampoline and outcome, and of several bundles the
statements by which they are flashed. Tells a line for each campaign, or what is wrong.
"""

import json
import sys

import vfs
from simulated import Disk

BLOCK, BLOCKS = 1024, 40

with open(sys.argv[1]) as file:
    plan = json.load(file)
vfs.umount("/")

OUTCOME = {}
exec(plan["outcome"], OUTCOME)
TRAMPOLINE = compile(plan["trampoline"], "main.py", "exec")
AGENT = compile(plan["agent"], "agent.py", "exec")
STEPS = {name: [compile(one, name, "exec") for one in sent] for name, sent in plan["bundles"].items()}
ran = []
failing = set()
"""Versions that have begun to fail, good or not."""


class Machine:
    """Resets end the start."""

    def reset(self):
        raise SystemExit


class Told:
    """What programs of bundles know of this test."""

    def ran(self, slot, version, other, well):
        ran.append((version, other))
        if well == "raises" or version in failing:
            raise ValueError(version)
        if well == "well":
            OUTCOME["Outcome"](slot).follow(True, 0)


sys.modules["machine"] = Machine()
sys.modules["told"] = Told()


class Quiet:
    """Stands in for `sys` in the trampoline: says nothing of what a bundle has raised."""

    path = sys.path

    def print_exception(self, error, stream=None):
        if stream is not None:
            stream.write("broken")


class Flash:
    """A board's flash: mounted, cut, mounted again."""

    def __init__(self, image=None):
        self.image = bytearray(BLOCK * BLOCKS)
        if image is not None:
            self.image[:] = image
        self.disk = Disk(self, BLOCK, BLOCKS)
        self.at = 0
        if image is None:
            vfs.VfsLfs2.mkfs(self.disk, readsize=256, progsize=256)

    def seek(self, at):
        self.at = at

    def readinto(self, buffer):
        buffer[:] = memoryview(self.image)[self.at : self.at + len(buffer)]
        return len(buffer)

    def write(self, buffer):
        self.image[self.at : self.at + len(buffer)] = buffer

    def powered(self, left, do):
        """Mount, do, take away; tell whether the power lasted."""
        self.disk.left = -1
        vfs.mount(vfs.VfsLfs2(self.disk, readsize=256, progsize=256), "/")
        self.disk.left = left
        lasted = True
        try:
            do()
        except OSError:
            if self.disk.left:
                raise
            lasted = False
        lasted = lasted and self.disk.left != 0
        self.disk.left = 0
        vfs.umount("/")
        return lasted


def flash(name):
    """Flash a bundle, by the statements that a desk would send."""
    agent = {}
    exec(AGENT, agent)
    for statement in STEPS[name]:
        exec(statement, agent)


def start():
    """Start as a board does; a name that is missing starts nothing."""
    for name in ("program", "build_id", "part"):
        sys.modules.pop(name, None)
    sys.path[:] = ["", ".frozen"]
    space = {}
    exec(TRAMPOLINE, space)
    space["PAUSE_S"] = 0
    space["sys"] = Quiet()
    try:
        space["main"]()
    except SystemExit:
        pass


def ending(name, image, wanted):
    """Version 2 fails from now on, start after start; tell whether what was started is as wanted."""
    board = Flash(image)
    failing.add("2")
    del ran[:]
    for _ in wanted:
        board.powered(-1, start)
    failing.clear()
    started = "".join([version for version, _ in ran])
    sys.stdout.write(f"campaign: {name}: 0 cuts, {'well' if started == wanted else started}\n")
    return bytes(board.image)


def flashing_over(name, image, allowed):
    """Cut the power at each write while the slot of version 1 is flashed; then version 2 begins to fail."""
    cuts = 0
    lasted = False
    while not lasted:
        board = Flash(image)
        lasted = board.powered(cuts, lambda: flash("third"))
        failing.add("2")
        for _ in range(4):
            del ran[:]
            board.powered(-1, start)
            if len(ran) != 1 or ran[0][0] != ran[0][1] or ran[0][0] not in allowed:
                sys.stdout.write(f"campaign: {name}, cut at write {cuts}: {ran!r} started\n")
                return
        failing.clear()
        cuts += 1
    sys.stdout.write(f"campaign: {name}: {cuts - 1} cuts, well\n")


def campaign(name, image, do, allowed, starts, finally_allowed):
    """Cut the power in `do` at each write; judge what is started next, and what after so many starts."""
    cuts = 0
    while True:
        board = Flash(image)
        lasted = board.powered(cuts, do)
        del ran[:]
        board.powered(-1, start)
        if len(ran) != 1 or ran[0][0] != ran[0][1] or ran[0][0] not in allowed:
            sys.stdout.write(f"campaign: {name}, cut at write {cuts}: {ran!r} started\n")
            return
        for _ in range(starts):
            board.powered(-1, start)
        if ran[-1][0] != ran[-1][1] or ran[-1][0] not in finally_allowed:
            sys.stdout.write(f"campaign: {name}, cut at write {cuts}: {ran!r} started in the end\n")
            return
        if lasted:
            break
        cuts += 1
    sys.stdout.write(f"campaign: {name}: {cuts} cuts, well\n")


FLASHES = {"raises": lambda: flash("raises"), "hangs": lambda: flash("hangs")}


def main():
    """All campaigns."""
    board = Flash()
    board.powered(-1, lambda: flash("one"))
    board.powered(-1, start)
    one = bytes(board.image)
    campaign("flashing a good bundle", one, lambda: flash("two"), ("1", "2"), 2, ("1", "2"))
    for name, version in (("raises", "3"), ("hangs", "4")):
        put = FLASHES[name]
        campaign("flashing one that " + name, one, put, ("1", version), 2, ("1",))
        board = Flash(one)
        board.powered(-1, put)
        bad = bytes(board.image)
        campaign("its first start", bad, start, ("1", version), 2, ("1",))
        board.powered(-1, start)
        campaign("falling back", bytes(board.image), start, ("1",), 2, ("1",))
    board = Flash(one)
    board.powered(-1, lambda: flash("two"))
    campaign("finding it good", bytes(board.image), start, ("1", "2"), 2, ("1", "2"))
    board.powered(-1, start)
    two = bytes(board.image)
    campaign("flashing over the one before", two, lambda: flash("third"), ("2", "5"), 2, ("2", "5"))
    # Half a bundle must not be gone back to, though that slot once was good.
    flashing_over("flashing, and the one that runs fails", two, ("1", "2", "5"))
    twice = ending("a good one ends twice", two, "22")
    board = Flash(twice)
    board.powered(-1, start)
    ending("once well, it has three ends again", bytes(board.image), "22211")
    failing.add("2")
    board = Flash(twice)
    board.powered(-1, start)
    campaign("a good one has ended thrice", bytes(board.image), start, ("1",), 2, ("1",))
    failing.clear()
    board = Flash(one)
    board.powered(-1, lambda: flash("hangs"))
    # Flashed again before the first has proved itself: the one that has must stay.
    again = bytes(board.image)
    campaign("flashing before it has started", again, lambda: flash("again"), ("1", "4", "5"), 2, ("1", "5"))


main()
