"""Says precisely why the kernel gives no frames of an interface, and what to do about it."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from edge.errors import SourceError

CAP_NET_RAW = 13
ARPHRD_CAN = 280

PROC = Path("/proc")
SYS_NET = Path("/sys/class/net")
"""Where the kernel tells of processes and of what it can."""

_SIOCGIFFLAGS, _SIOCGIFHWADDR = 0x8913, 0x8927
_NAME_BYTES = 16
_REQUEST = struct.Struct("=16sH22x")
_IFF_UP = 0x1
_ALL_USERS = "4294967295"

_SERVICE_GIVES = "Give it to the service: AmbientCapabilities=CAP_NET_RAW, CapabilityBoundingSet=CAP_NET_RAW"
_KEPT = {
    (True, False): (
        "CAP_NET_RAW holds in a user namespace alone, to which the interface does not belong",
        "Run it outside of that namespace (PrivateUsers=no in the service)",
    ),
    (False, True): (
        "CAP_NET_RAW is there, and a seccomp filter refuses packet sockets",
        "Allow them in the service: add AF_PACKET to RestrictAddressFamilies",
    ),
    (False, False): (
        "CAP_NET_RAW is there, and a security module (AppArmor, SELinux) refuses packet sockets",
        "Allow 'network packet' in its profile; the kernel's log names the rule",
    ),
}
"""Why packet sockets are refused although the right is there: by user namespace, and by seccomp filter."""

_NO_FAMILY = frozenset({errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.ESOCKTNOSUPPORT})
_REFUSED = frozenset({errno.EPERM, errno.EACCES})
_NO_INTERFACE = frozenset({errno.ENODEV, errno.ENXIO, errno.EMEDIUMTYPE})
_NO_RING = frozenset({errno.ENOPROTOOPT, errno.EINVAL})
_MEMORY = (
    "the kernel has no memory for it",
    "Ask for a smaller buffer, or free memory (MemoryMax counts it too)",
)
_FILTER = "Look at SystemCallFilter in the service"
_FILES = "too many files are open", "Raise LimitNOFILE in the service"
_SIMPLE = {
    errno.EPERM: ("the system refuses the socket", _FILTER),
    errno.EACCES: ("the system refuses the socket", _FILTER),
    errno.ENOSYS: ("a call of the system is missing, or a filter hides it", _FILTER),
    errno.ENOMEM: _MEMORY,
    errno.ENOBUFS: _MEMORY,
    errno.EMFILE: _FILES,
    errno.ENFILE: _FILES,
}


@dataclass(frozen=True, slots=True)
class ProcessRights:
    """What bears on whether this process may open packet sockets (proc_pid_status(5), capabilities(7)).

    Attributes:
        effective: whether ``CAP_NET_RAW`` is in effect.
        permitted: whether it may be put in effect.
        bounding: whether anything could still give it.
        ambient: whether programs that are started keep it.
        no_new_privileges: whether capabilities of program files count for nothing.
        filtered: whether a seccomp filter judges system calls.
        user_namespace: whether the process is in a user namespace of its own.
    """

    effective: bool
    permitted: bool
    bounding: bool
    ambient: bool
    no_new_privileges: bool
    filtered: bool
    user_namespace: bool

    @classmethod
    def read(cls, proc: Path = PROC) -> Self:
        """Read them of this process; what the kernel does not say is taken to be no hindrance."""
        lines = (line.partition(":") for line in _text(proc / "self" / "status").splitlines())
        status = {name: value.strip() for name, _, value in lines}

        def holds(name: str, default: str) -> bool:
            return bool(int(status.get(name) or default, 16) >> CAP_NET_RAW & 1)

        owners = _text(proc / "self" / "uid_map").split()
        return cls(
            effective=holds("CapEff", "0"),
            permitted=holds("CapPrm", "0"),
            bounding=holds("CapBnd", "ffffffff"),
            ambient=holds("CapAmb", "0"),
            no_new_privileges=status.get("NoNewPrivs") == "1",
            filtered=status.get("Seccomp") == "2",
            user_namespace=bool(owners) and owners != ["0", "0", _ALL_USERS],
        )

    def lacking(self) -> tuple[str, str]:
        """Why packet sockets are refused, as a clause, and what to do."""
        if self.effective:
            return _KEPT[self.user_namespace, self.filtered and not self.user_namespace]
        if self.permitted:
            return "CAP_NET_RAW is permitted and not in effect", _SERVICE_GIVES
        missing = "CAP_NET_RAW is missing"
        if not self.bounding:
            missing += ", and the bounding set keeps it from this process"
            return missing, f"{_SERVICE_GIVES}; to a container: --cap-add NET_RAW"
        if self.no_new_privileges:
            missing += ", and under no_new_privs capabilities of program files do not count"
            return missing, f"{_SERVICE_GIVES}; setcap on the program does not help here"
        return missing, _SERVICE_GIVES


@dataclass(frozen=True, slots=True)
class Interface:
    """A network interface of this machine.

    Attributes:
        name: its name.
        can: whether it is one of CAN; None if the kernel does not say.
        up: whether it is up; None if the kernel does not say.
    """

    name: str
    can: bool | None
    up: bool | None

    def __str__(self) -> str:
        return f"{self.name} (down)" if self.can and self.up is False else self.name


def interfaces(sys_net: Path = SYS_NET) -> tuple[Interface, ...]:
    """The network interfaces that this process sees, those of CAN first.

    Args:
        sys_net: where the kernel lists them for processes that may not ask for them.
    """
    try:
        names = [name for _, name in socket.if_nameindex()]
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asking:
            found = [_interface(name, asking) for name in names]
    except OSError:
        # The process of capture may open files for reading, but neither of these sockets.
        found = [_listed_interface(folder) for folder in _folders(sys_net)]
    return tuple(sorted(found, key=lambda each: (not each.can, each.name)))


def refused(
    error: OSError,
    *,
    way: str,
    channel: str,
    where: str,
    proc: Path = PROC,
    present: Sequence[Interface] | None = None,
) -> SourceError:
    """What an error in opening `channel` by `way` means.

    Args:
        error: what was raised.
        way: ``ring``, ``raw`` or ``python-can``.
        channel: name of the interface.
        where: which bus, for the message.
        proc: where the kernel tells of this process.
        present: the interfaces that there are; None: to be found out.
    """
    what, todo = _meaning(error, way, channel, proc, interfaces() if present is None else present)
    return SourceError(what, where=where, todo=todo)


def _meaning(
    error: OSError, way: str, channel: str, proc: Path, present: Sequence[Interface]
) -> tuple[str, str]:
    number = error.errno or 0
    if number in _REFUSED and way == "ring":
        return ProcessRights.read(proc).lacking()
    if number in _NO_FAMILY:
        return _no_family(way, proc)
    if number in _NO_INTERFACE:
        return _no_interface(channel, present, there=number == errno.EMEDIUMTYPE)
    if number == errno.ENETDOWN:
        return f"{channel} is down", f"Set it up: ip link set {channel} up type can bitrate 500000"
    if way == "ring" and number in _NO_RING:
        return "this kernel makes no ring of version 3 (TPACKET_V3, from Linux 3.2 on)", ""
    plain = error.strerror or str(error)
    return _SIMPLE.get(number, (f"cannot be opened: {plain}", ""))


def _no_family(way: str, proc: Path) -> tuple[str, str]:
    family, protocol, module = (
        ("AF_PACKET", "PACKET", "af_packet") if way == "ring" else ("AF_CAN", "CAN_RAW", "can_raw")
    )
    known = {line.split(" ", 1)[0] for line in _text(proc / "net" / "protocols").splitlines()}
    if protocol in known or (family == "AF_PACKET" and (proc / "net" / "packet").exists()):
        return (
            f"the kernel has {family}, and a filter keeps it from this process",
            f"Allow it in the service: add {family} to RestrictAddressFamilies",
        )
    name = "packet sockets" if way == "ring" else "raw CAN sockets"
    return (
        f"the kernel has no {name}",
        f"Load them: modprobe {module}; where that is missing, take another kernel",
    )


def _no_interface(channel: str, present: Sequence[Interface], *, there: bool) -> tuple[str, str]:
    able = [str(each) for each in present if each.can]
    others = [each.name for each in present if each.can is not True]
    offered = f"There are {_listed(able)}" if able else "There is no CAN interface"
    if there or channel in {each.name for each in present}:
        return f"{channel} is no CAN interface", offered
    if able:
        return f"there is no interface {channel}", offered
    rest = f", only {_listed(others)}" if others else ""
    return (
        f"there is no interface {channel}",
        f"{offered}{rest}; is its driver loaded, its adapter plugged in?",
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _interface(name: str, asking: socket.socket) -> Interface:
    kind, flags = _asked(name, asking, _SIOCGIFHWADDR), _asked(name, asking, _SIOCGIFFLAGS)
    return Interface(
        name,
        None if kind is None else kind == ARPHRD_CAN,
        None if flags is None else bool(flags & _IFF_UP),
    )


def _folders(sys_net: Path) -> list[Path]:
    try:
        return list(sys_net.iterdir())
    except OSError:
        return []


def _listed_interface(folder: Path) -> Interface:
    """An interface by what sysfs says of it (Documentation/ABI/testing/sysfs-class-net)."""
    kind, flags = _text(folder / "type").strip(), _text(folder / "flags").strip()
    return Interface(
        folder.name,
        int(kind) == ARPHRD_CAN if kind.isdecimal() else None,
        bool(int(flags, 16) & _IFF_UP) if flags.startswith("0x") else None,
    )


def _asked(name: str, asking: socket.socket, question: int) -> int | None:
    """The first half word of an answer about an interface (netdevice(7)); None if there is none."""
    request = _REQUEST.pack(os.fsencode(name)[: _NAME_BYTES - 1], 0)
    try:
        answer = fcntl.ioctl(asking, question, request)
    except OSError:
        return None
    return int(_REQUEST.unpack(answer)[1])


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
