"""What `nevgate firmware` runs on a board, sent as text: keeps the two slots, hashes files, chooses."""

import binascii
import hashlib
import json
import os
import sys

import vfs

ROOT = os.getcwd().rstrip("/")
HOME = ROOT + "/nevgate/"
_CHUNK = 512
_FOLDER = 0x4000


def _is_folder(path):
    return os.stat(path)[0] & _FOLDER


def _there(path):
    try:
        os.stat(path)
    except OSError:
        return False
    return True


def _text(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def _remove(path):
    if not _there(path):
        return
    if _is_folder(path):
        for name in os.listdir(path):
            _remove(path + "/" + name)
        os.rmdir(path)
    else:
        os.remove(path)


def _folder(path):
    if not _there(path):
        os.mkdir(path)


def _replace(path, text):
    with open(path + ".new", "w") as file:
        file.write(text)
    os.rename(path + ".new", path)


def _hash(path):
    digest = hashlib.sha256()
    buffer = bytearray(_CHUNK)
    size = 0
    with open(path, "rb") as file:
        while True:
            n = file.readinto(buffer)
            if not n:
                break
            size += n
            digest.update(memoryview(buffer)[:n])
    return [size, binascii.hexlify(digest.digest()).decode()]


def _files(folder, below, found):
    if not _there(folder):
        return
    for name in sorted(os.listdir(folder)):
        path = folder + "/" + name
        if _is_folder(path):
            _files(path, below + name + "/", found)
        else:
            found[below + name] = _hash(path)


def _file_system():
    for mounted, place in vfs.mount():
        if place == (ROOT or "/"):
            return type(mounted).__name__
    return ""


def state():
    """Tell which slot is chosen, what both are, and what the board is."""
    told = {
        "chosen": _text(HOME + "chosen") or _text(HOME + "chosen.new"),
        "fallen": _text(HOME + "fallen"),
        "mpy": getattr(sys.implementation, "_mpy", 0),
        "machine": getattr(sys.implementation, "_machine", ""),
        "version": list(sys.implementation.version[:3]),
        "main": _hash(ROOT + "/main.py")[1] if _there(ROOT + "/main.py") else "",
        "free": 0,
        "file_system": _file_system(),
        "littlefs": hasattr(vfs, "VfsLfs2"),
        "slots": {},
    }
    try:
        found = os.statvfs(ROOT or "/")
        told["free"] = found[0] * found[3]
    except OSError:
        pass
    for slot in ("a", "b"):
        if _there(HOME + slot):
            told["slots"][slot] = {
                "good": bool(_text(HOME + slot + "/good")),
                "tries": len(_text(HOME + slot + "/tries")),
                "error": _text(HOME + slot + "/error"),
            }
    print(json.dumps(told))


def hashes(slot):
    """Tell size and hash of each file of a slot."""
    found = {}
    _files(HOME + slot, "", found)
    for name in ("good", "tries", "error"):
        found.pop(name, None)
    print(json.dumps(found))


def begin(slot):
    """Empty a slot. What says that it is good goes first: half a slot must not be fallen back to."""
    _folder(HOME[:-1])
    _remove(HOME + slot + "/good")
    _remove(HOME + slot)
    os.mkdir(HOME + slot)


def create(path):
    """Begin a file, and the folders around it."""
    global _file
    parts = path.split("/")
    for n in range(1, len(parts)):
        _folder(ROOT + "/" + "/".join(parts[:n]))
    _file = open(ROOT + "/" + path, "wb")


def add(text):
    """Write on."""
    _file.write(binascii.a2b_base64(text))


def close():
    """End a file."""
    _file.close()


def rename(old, new):
    """Put a file in another's place."""
    os.rename(ROOT + "/" + old, ROOT + "/" + new)


def choose(slot):
    """From now on this slot is started."""
    _remove(HOME + "fallen")
    _replace(HOME + "chosen", slot)
    if hasattr(os, "sync"):
        os.sync()


def stay():
    """The next start ends in the loader."""
    _replace(HOME + "stay", "1")


def restart():
    """Reset the board."""
    import machine

    machine.reset()
