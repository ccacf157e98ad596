"""The rules of what capture may do: take in, hand to the core, and what its devices need beside that."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from errno import EACCES, EPERM

from edge.capturing.needs import REQUEST_BYTES, SHORT_BYTES, Need
from edge.capturing.seccomp import ALLOW, AtMost, Equals, Instruction, Rule, build, refuse
from edge.capturing.system_calls import Machine

_EPERM = refuse(EPERM)
_NOTHING_DONE = refuse(0)

_WRITE_ONLY_OR_BOTH, _CREATE, _TRUNCATE, _TEMPORARY = 0o3, 0o100, 0o1000, 0o20000000
"""``O_WRONLY | O_RDWR``, ``O_CREAT``, ``O_TRUNC``, ``__O_TMPFILE``: the same on all three machines."""

_WRITABLE, _EXECUTABLE = 0x2, 0x4
_CLONE_THREAD = 0x0001_0000
_NAMES_AND_QUESTIONS = (15, 16, 3, 39, 0x5356_4D41)
"""``PR_SET_NAME``, ``PR_GET_NAME``, ``PR_GET_DUMPABLE``, ``PR_GET_NO_NEW_PRIVS``, ``PR_SET_VMA``."""

ON_DESCRIPTORS = (1, 2, 3, 4, 1030)
"""``F_GETFD``, ``F_SETFD``, ``F_GETFL``, ``F_SETFL``, ``F_DUPFD_CLOEXEC``.

The last is what Python makes a map of memory with. It takes a number that is free, which those that may be
written to never are.
"""

_AF_INET, _AF_INET6, _AF_NETLINK, _AF_PACKET, _AF_CAN = 2, 10, 16, 17, 29
_STREAM, _DATAGRAM, _RAW, _TYPE = 1, 2, 3, 0xF
_CAN_RAW, _NETLINK_ROUTE, _NETLINK_UEVENT, _TCP, _UDP = 1, 0, 15, 6, 17
_SOL_PACKET, _PACKET_TX_RING = 263, 13

IOCTLS = (
    *(0x5421, 0x541B, 0x5450, 0x5451),  # FIONBIO, FIONREAD, FIONCLEX, FIOCLEX
    *(0x5401, 0x802C_542A),  # TCGETS, TCGETS2: whether it is a terminal
    *(0x8910, 0x8913, 0x8921, 0x8927, 0x8933),  # SIOCGIFNAME, …FLAGS, …MTU, …HWADDR, …INDEX
    *(0x8906, 0x8907, 0x8946, 0x89B1),  # SIOCGSTAMP, SIOCGSTAMPNS, SIOCETHTOOL, SIOCGHWTSTAMP
)
"""Questions about files and links (asm-generic/ioctls.h, linux/sockios.h).

What sets anything of a link takes ``CAP_NET_ADMIN`` besides. ``TIOCSTI``, which types on a terminal, is in no
list.
"""

_SERIAL_IOCTLS = (
    *(0x5402, 0x5403, 0x5404, 0x402C_542B, 0x402C_542C, 0x402C_542D),  # TCSETS, …W, …F, TCSETS2, …W, …F
    *(0x5409, 0x540A, 0x540B, 0x540C, 0x540D, 0x5411),  # TCSBRK, TCXONC, TCFLSH, TIOCEXCL, TIOCNXCL, TIOCOUTQ
    *(0x5415, 0x5416, 0x5417, 0x5418),  # TIOCMGET, TIOCMBIS, TIOCMBIC, TIOCMSET
    *(0x541E, 0x541F),  # TIOCGSERIAL, TIOCSSERIAL: that bytes are not collected
    *(0x5425, 0x5427, 0x5428),  # TCSBRKP, TIOCSBRK, TIOCCBRK
)
_USB, _KIND_OF_IOCTL = 0x5500, 0xFF00
"""All requests of usbdevfs (linux/usbdevice_fs.h) have ``U`` in their second byte."""

ALWAYS_FREE = (
    *(
        "read",
        "poll",
        "ppoll",
        "ppoll_time64",
        "recvmmsg",
        "recvmmsg_time64",
        "recvmsg",
        "recvfrom",
        "recv",
        "readv",
    ),
    *(
        "futex",
        "futex_time64",
        "clock_gettime",
        "clock_gettime64",
        "clock_nanosleep",
        "clock_nanosleep_time64",
    ),
    *("select", "_newselect", "pselect6", "pselect6_time64", "restart_syscall", "sched_yield", "getrandom"),
    *("epoll_create", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2"),
    *("clock_getres", "clock_getres_time64", "nanosleep", "gettimeofday", "time", "times", "getrusage"),
    *("brk", "munmap", "mremap", "madvise", "cacheflush"),
    *("sched_getaffinity", "getcpu", "membarrier", "set_robust_list", "get_robust_list", "set_tid_address"),
    *("rseq", "set_tls", "exit", "exit_group"),
    *("rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "sigreturn", "sigaltstack"),
    *("getpid", "getppid", "gettid", "getpgrp", "uname", "sysinfo", "getrlimit", "ugetrlimit"),
    *("getuid", "getuid32", "geteuid", "geteuid32", "getgid", "getgid32", "getegid", "getegid32"),
    *("getresuid", "getresuid32", "getresgid", "getresgid32", "getgroups", "getgroups32"),
    *("pread64", "lseek", "_llseek", "getdents64", "getcwd", "readlink", "readlinkat"),
    *("stat", "lstat", "fstat", "stat64", "lstat64", "fstat64", "fstatat64", "newfstatat", "statx"),
    *("access", "faccessat", "faccessat2", "fadvise64", "arm_fadvise64_64"),
    *("shutdown", "getsockname", "getpeername", "getsockopt"),
    *("adjtimex", "clock_adjtime", "clock_adjtime64"),
)
"""Calls that take something in, wait, ask, or concern the process's own memory and threads alone.

``adjtimex`` says whether the clock is synchronised; to set it takes ``CAP_SYS_TIME``, which capture has not.
"""

NEVER = (
    *(
        "execve",
        "execveat",
        "fork",
        "vfork",
        "ptrace",
        "process_vm_readv",
        "process_vm_writev",
        "process_madvise",
    ),
    *(
        "pidfd_open",
        "pidfd_getfd",
        "pidfd_send_signal",
        "kill",
        "tkill",
        "rt_sigqueueinfo",
        "rt_tgsigqueueinfo",
    ),
    *(
        "userfaultfd",
        "personality",
        "perf_event_open",
        "modify_ldt",
        "iopl",
        "ioperm",
        "memfd_create",
        "pkey_mprotect",
    ),
    *(
        "kexec_load",
        "kexec_file_load",
        "bpf",
        "init_module",
        "finit_module",
        "delete_module",
        "reboot",
        "seccomp",
    ),
    *(
        "mount",
        "umount2",
        "move_mount",
        "open_tree",
        "open_tree_attr",
        "fsopen",
        "fsconfig",
        "fsmount",
        "fspick",
    ),
    *(
        "mount_setattr",
        "pivot_root",
        "chroot",
        "setns",
        "unshare",
        "swapon",
        "swapoff",
        "acct",
        "quotactl",
        "vhangup",
    ),
    *("keyctl", "add_key", "request_key", "open_by_handle_at", "name_to_handle_at", "syslog"),
    *(
        "clock_settime",
        "clock_settime64",
        "settimeofday",
    ),
    *(
        "capset",
        "setuid",
        "setuid32",
        "setgid",
        "setgid32",
        "setreuid",
        "setreuid32",
        "setregid",
        "setregid32",
    ),
    *(
        "setresuid",
        "setresuid32",
        "setresgid",
        "setresgid32",
        "setfsuid",
        "setfsuid32",
        "setfsgid",
        "setfsgid32",
    ),
    *("setgroups", "setgroups32", "setrlimit", "listen", "accept", "accept4", "creat"),
    *("io_setup", "io_submit", "io_uring_setup", "io_uring_enter", "io_uring_register"),
    *("splice", "vmsplice", "tee", "sendfile", "sendfile64", "copy_file_range"),
    *("dup2", "dup3", "close_range"),
    *("link", "linkat", "unlink", "unlinkat", "symlink", "symlinkat", "rename", "renameat", "renameat2"),
    *("mkdir", "mkdirat", "rmdir", "mknod", "mknodat", "chmod", "fchmod", "fchmodat", "fchmodat2"),
    *("chown", "chown32", "fchown", "fchown32", "lchown", "lchown32", "fchownat", "truncate", "truncate64"),
    *(
        "ftruncate",
        "ftruncate64",
        "fallocate",
        "utime",
        "utimes",
        "futimesat",
        "utimensat",
        "utimensat_time64",
    ),
    *("setxattr", "lsetxattr", "fsetxattr", "setxattrat", "removexattr", "umask", "mq_open"),
)
"""Calls that are refused whatever a device needs."""


def receive_only(
    machine: Machine, needs: Collection[Need], *, writable: Collection[int], process: int
) -> tuple[Instruction, ...]:
    """The program of the filter that leaves capture what it needs.

    What is not named is refused with ``EPERM``, which Python raises as an `OSError`; opening a file to write
    it with ``EACCES``.

    - Data leave by write(2) on the writable descriptors alone. Their numbers stay what they are: they cannot
      be closed (that looks as if it had been done), and no descriptor can be put in their place.
    - Sockets are those that a need names, of the protocols that only take in: one of ISO-TP or J1939 would
      answer by itself what it receives. None can be connected, and a packet socket gets no ring for sending.
    - Memory is never both writable and executable, as with systemd's ``MemoryDenyWriteExecute``.

    Args:
        machine: whose calls they are.
        needs: what sources and sensors need beside that.
        writable: descriptors that may be written to: open, and of nothing that leads to a bus or a network.
        process: its own id, to which alone it may send signals.
    """
    default = ALLOW if Need.UNKNOWN in needs else _EPERM
    rules = (
        *_writing(needs, tuple(sorted(writable))),
        Rule(ALWAYS_FREE),
        *_opening(needs),
        *_sockets(needs, tuple(sorted(writable))),
        *_devices(needs),
        *concerning_itself(process),
        Rule(NEVER, verdict=_EPERM),
    )
    return build(machine, rules, default)


def _writing(needs: Collection[Need], writable: tuple[int, ...]) -> list[Rule]:
    rules = [
        Rule(("write", "writev"), (Equals(0, writable),)),
        Rule(("close",), (Equals(0, writable),), _NOTHING_DONE),
        Rule(("close",)),
    ]
    if Need.COMMANDS in needs:
        rules.append(Rule(("write",), (AtMost(2, SHORT_BYTES),)))
    if Need.REQUESTS in needs:
        request = Equals(2, (REQUEST_BYTES,), whole=True)
        rules += [
            Rule(("sendto",), (request, Equals(4, (0,), whole=True))),
            Rule(("send",), (request,)),
        ]
    if Need.NAME_LOOKUP in needs:
        rules.append(Rule(("send", "sendto", "sendmsg", "sendmmsg")))
    return rules


def _opening(needs: Collection[Need]) -> list[Rule]:
    forbidden = _CREATE | _TRUNCATE | _TEMPORARY
    if not {Need.SERIAL_PORTS, Need.USB_DEVICES, Need.UNKNOWN}.intersection(needs):
        forbidden |= _WRITE_ONLY_OR_BOTH
    return [
        Rule(("openat",), (Equals(2, (0,), mask=forbidden),)),
        Rule(("open",), (Equals(1, (0,), mask=forbidden),)),
        Rule(("openat", "open"), verdict=refuse(EACCES)),
    ]


def _sockets(needs: Collection[Need], writable: tuple[int, ...]) -> list[Rule]:
    kinds: dict[Need, Sequence[tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]]] = {
        Need.CAN_SOCKETS: [((_AF_CAN,), (_RAW,), (_CAN_RAW,))],
        Need.LINK_STATE: [((_AF_NETLINK,), (_DATAGRAM, _RAW), (_NETLINK_ROUTE,))],
        Need.DATAGRAMS: [((_AF_INET, _AF_INET6), (_DATAGRAM,), (0, _UDP))],
        Need.REQUESTS: [((_AF_INET, _AF_INET6), (_STREAM,), (0, _TCP))],
        Need.NAME_LOOKUP: [
            ((_AF_INET, _AF_INET6), (_DATAGRAM,), (0, _UDP)),
            ((_AF_NETLINK,), (_DATAGRAM, _RAW), (_NETLINK_ROUTE,)),
        ],
        Need.USB_DEVICES: [((_AF_NETLINK,), (_DATAGRAM, _RAW), (_NETLINK_UEVENT,))],
    }
    rules = [
        Rule(("socket",), (Equals(0, families), Equals(1, types, mask=_TYPE), Equals(2, protocols)))
        for need, wanted in kinds.items()
        if need in needs
        for families, types, protocols in wanted
    ]
    if Need.PACKET_SOCKETS in needs:
        rules.append(Rule(("socket",), (Equals(0, (_AF_PACKET,)), Equals(1, (_DATAGRAM, _RAW), mask=_TYPE))))
    if {Need.REQUESTS, Need.NAME_LOOKUP}.intersection(needs):
        rules.append(Rule(("connect",)))
    return [
        *rules,
        # Bound to a path, the connection to the core would become a name in the file system.
        Rule(("bind",), (Equals(0, writable),), _EPERM),
        Rule(("bind",)),
        Rule(("setsockopt",), (Equals(1, (_SOL_PACKET,)), Equals(2, (_PACKET_TX_RING,))), _EPERM),
        Rule(("setsockopt",)),
    ]


def _devices(needs: Collection[Need]) -> list[Rule]:
    rules = [
        Rule(("ioctl",), (Equals(1, IOCTLS),)),
        Rule(("fcntl", "fcntl64"), (Equals(1, ON_DESCRIPTORS),)),
    ]
    if Need.SERIAL_PORTS in needs:
        rules += [Rule(("ioctl",), (Equals(1, _SERIAL_IOCTLS),)), Rule(("flock", "pipe", "pipe2"))]
    if Need.USB_DEVICES in needs:
        rules += [
            Rule(("ioctl",), (Equals(1, (_USB,), mask=_KIND_OF_IOCTL),)),
            Rule(("pipe", "pipe2", "eventfd2", "timerfd_create", "timerfd_settime", "timerfd_settime64")),
        ]
    return rules


def concerning_itself(process: int) -> list[Rule]:
    """What a process may do with its own memory, threads and signals; `process` is its id."""
    return [
        Rule(
            ("mmap", "mmap2"),
            (Equals(2, (0, _WRITABLE, _EXECUTABLE), mask=_WRITABLE | _EXECUTABLE),),
        ),
        Rule(("mmap", "mmap2"), verdict=_EPERM),
        Rule(("mprotect",), (Equals(2, (0,), mask=_EXECUTABLE),)),
        Rule(("mprotect",), verdict=_EPERM),
        Rule(("clone",), (Equals(0, (_CLONE_THREAD,), mask=_CLONE_THREAD),)),
        Rule(("clone",), verdict=_EPERM),
        Rule(("tgkill",), (Equals(0, (process,)),)),
        Rule(("tgkill",), verdict=_EPERM),
        Rule(("prctl",), (Equals(0, _NAMES_AND_QUESTIONS),)),
        Rule(("prctl",), verdict=_EPERM),
        Rule(("prlimit64",), (Equals(2, (0,), whole=True),)),
        Rule(("prlimit64",), verdict=_EPERM),
    ]
