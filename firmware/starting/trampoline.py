"""A board's main.py: starts the bundle that was chosen, and the one before where that does not come up.

It knows nothing of a bundle but `program.run(slot)`, which does not return. What it goes by, in the folder
nevgate beside this file:

    chosen      the slot to start, a or b; only ever replaced whole
    a/good      this slot has once said that it is well
    a/tries     of a slot that is not good: it was started; of a good one: how often it ended since
    a/error     why it ended the last time
    fallen      why another slot than the one that was flashed last is started
    stay        start nothing, this once: the loader
"""

import io
import os
import sys
import time

import machine
import micropython

HOME = os.getcwd().rstrip("/") + "/nevgate/"
"""A STM32 starts in /flash or /sd, other boards in the root."""
PAUSE_S = 3
_ENDS = 3


def text_of(path: str) -> str:
    """What a file says; nothing where there is none."""
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def replace(path: str, text: str) -> None:
    """Write a file so that there is either the old or the new one."""
    with open(path + ".new", "w") as file:
        file.write(text)
    os.rename(path + ".new", path)


def remove(path: str) -> None:
    """Remove a file, if there is one."""
    try:
        os.remove(path)
    except OSError:
        pass


def fall_back(slot: str, other: str, why: str) -> None:
    """Choose the other slot for good; wherever power fails in this, the next start comes here again."""
    replace(HOME + "fallen", why)
    remove(HOME + slot + "/good")
    replace(HOME + "chosen", other)


def pick() -> str:
    """Tell the slot that is to be started; empty for none."""
    # Between the two steps by which FAT replaces a file there is only the new one.
    slot = text_of(HOME + "chosen") or text_of(HOME + "chosen.new")
    if slot not in ("a", "b"):
        return ""
    other = "b" if slot == "a" else "a"
    tries = len(text_of(HOME + slot + "/tries"))
    good = text_of(HOME + slot + "/good")
    if tries >= (_ENDS if good else 1) and text_of(HOME + other + "/good"):
        why = text_of(HOME + slot + "/error") or "it was started, and never said that it is well"
        fall_back(slot, other, why)
        return other
    if not good and not tries:
        replace(HOME + slot + "/tries", "1")
    return slot


def ended(slot: str, error: Exception) -> None:
    """Note why a program has ended, give a person time to interrupt, and reset."""
    words = io.StringIO()
    sys.print_exception(error, words)
    sys.print_exception(error)
    micropython.kbd_intr(3)
    try:
        replace(HOME + slot + "/error", words.getvalue()[-1000:])
        replace(HOME + slot + "/tries", text_of(HOME + slot + "/tries") + "1")
    except OSError as full:
        sys.print_exception(full)
    time.sleep(PAUSE_S)
    machine.reset()


def main() -> None:
    """Start what is to be started."""
    if text_of(HOME + "stay"):
        remove(HOME + "stay")
        return
    slot = pick()
    if not slot:
        return
    sys.path.insert(0, HOME + slot)
    try:
        from program import run  # noqa: PLC0415 - of the slot

        run(slot)
    except Exception as error:  # noqa: BLE001 - whatever it is, the board has to come back
        ended(slot, error)


main()
