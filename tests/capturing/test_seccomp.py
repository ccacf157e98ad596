"""A filter's program decides what its rules say, on every machine; its numbers are the kernel's."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.capturing.needs import REQUEST_BYTES, Need
from edge.capturing.receive_only import receive_only
from edge.capturing.seccomp import (
    ALLOW,
    INSTRUCTIONS_MAX,
    KILL,
    NOT_IN_THIS_KERNEL,
    AtMost,
    Condition,
    Equals,
    Rule,
    build,
    packed,
    refuse,
)
from edge.capturing.system_calls import AARCH64, ARM, MACHINES, NAMES, X86_64, Machine, this_machine
from tests.capturing.filter_machine import judge, run

WORDS = st.sampled_from([0, 1, 2, 3, 4, 12, 13, 16, 38, 0xFFFF_FFFF]) | st.integers(0, 0xFFFF_FFFF)
ARGUMENTS = st.tuples(
    *[st.builds(lambda low, high: low | high << 32, WORDS, st.sampled_from([0, 0, 0, 1, 0xFFFF_FFFF]))] * 6
)
SOME = ("read", "write", "openat", "socket", "clone3", "cacheflush", "mmap", "mmap2", "send")
PLACES = st.integers(0, 5)


def equals(masked: bool) -> st.SearchStrategy[Condition]:
    mask = WORDS if masked else st.just(0xFFFF_FFFF)
    return st.builds(
        lambda argument, values, mask, whole: Equals(
            argument, tuple(each & mask for each in values), mask, whole
        ),
        PLACES,
        st.lists(WORDS, min_size=1, max_size=5),
        mask,
        st.booleans(),
    )


RULES = st.lists(
    st.builds(
        Rule,
        st.lists(st.sampled_from(SOME), min_size=1, max_size=4).map(tuple),
        st.lists(equals(False) | equals(True) | st.builds(AtMost, PLACES, WORDS), max_size=3).map(tuple),
        st.sampled_from([ALLOW, refuse(1), refuse(13), refuse(0)]),
    ),
    max_size=12,
)
ARCHES = st.sampled_from([machine.audit_arch for machine in MACHINES]) | st.just(0x4000_0003)


def numbers(machine: Machine) -> st.SearchStrategy[int]:
    named = sorted(machine.calls[name] for name in SOME if name in machine.calls)
    return st.sampled_from(named) | st.integers(0, 500) | st.integers(0, 0xFFFF_FFFF)


@settings(deadline=None, max_examples=30)
@given(
    data=st.data(),
    machine=st.sampled_from(MACHINES),
    rules=RULES,
    default=st.sampled_from([ALLOW, refuse(1)]),
)
def test_a_program_decides_what_its_rules_say(
    data: st.DataObject, machine: Machine, rules: list[Rule], default: int
) -> None:
    program = build(machine, rules, default)
    for _ in range(5):
        arch = data.draw(st.just(machine.audit_arch) | ARCHES)
        number, arguments = data.draw(numbers(machine)), data.draw(ARGUMENTS)
        assert run(program, arch, number, arguments) == judge(
            machine, rules, default, arch, number, arguments
        )


@settings(deadline=None)
@given(
    needs=st.frozensets(st.sampled_from(Need)),
    machine=st.sampled_from(MACHINES),
    number=st.integers(0, 600) | st.integers(0, 0xFFFF_FFFF),
    arguments=ARGUMENTS,
    arch=ARCHES,
)
def test_whatever_is_needed_every_call_gets_a_verdict(
    needs: frozenset[Need], machine: Machine, number: int, arguments: tuple[int, ...], arch: int
) -> None:
    program = receive_only(machine, needs, writable=(2, 5), process=77)
    assert len(program) < INSTRUCTIONS_MAX // 2
    verdict = run(program, arch, number, arguments)
    assert (verdict == KILL) == (arch != machine.audit_arch)
    assert verdict in {KILL, ALLOW, NOT_IN_THIS_KERNEL, refuse(0), refuse(1), refuse(13)}


Verdict = Callable[..., int | None]
EVERY_MACHINE = pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: str(machine.name))
EVERY_NEED = pytest.mark.parametrize("need", [None, *Need])
EVERY_KNOWN_NEED = pytest.mark.parametrize(
    "need", [None, *(need for need in Need if need is not Need.UNKNOWN)]
)
REFUSED = {None, refuse(1), NOT_IN_THIS_KERNEL}
FRAME_BYTES = (13, 16, 72, 2060, 1 << 32)


def verdicts(machine: Machine, need: Need | None) -> Verdict:
    """Tells what becomes of a call; None where the machine has none of that name."""
    program = receive_only(machine, [] if need is None else [need], writable=(2, 5), process=77)

    def verdict(name: str, *arguments: int) -> int | None:
        number = machine.calls.get(name)
        if number is None:
            return None
        return run(program, machine.audit_arch, number, (*arguments, *[0] * (6 - len(arguments))))

    return verdict


@EVERY_MACHINE
@EVERY_NEED
def test_no_need_opens_what_is_never_open(machine: Machine, need: Need | None) -> None:
    verdict = verdicts(machine, need)
    for name in NEVER:
        assert verdict(name) in REFUSED, name
        assert verdict(name, 5, 5, 5, 5, 5, 5) in REFUSED, name
    for name in ("openat", "open"):
        assert verdict(name, 0, 0o102, 0o102) in {None, refuse(13)}, "creating"
        assert verdict(name, 0, 0o1000, 0o1000) in {None, refuse(13)}, "emptying"
    assert verdict("setsockopt", 9, 263, 13) == refuse(1)
    assert verdict("setsockopt", 9, 263, 5) == ALLOW
    assert verdict("clone", 0x11) == refuse(1)
    assert verdict("clone", 0x3D0F00) == ALLOW
    assert verdict("tgkill", 78, 78, 9) == refuse(1)
    assert verdict("prctl", 4, 1) == refuse(1), "to be dumpable again"
    assert verdict("mprotect", 0, 4096, 7) == verdict("mprotect", 0, 4096, 5) == refuse(1)
    assert {verdict("mmap", 0, 4096, 7), verdict("mmap2", 0, 4096, 7)} == {refuse(1), None}


@EVERY_MACHINE
@EVERY_NEED
def test_the_numbers_that_may_be_written_to_stay_what_they_are(machine: Machine, need: Need | None) -> None:
    verdict = verdicts(machine, need)
    assert verdict("write", 5, 0, 1 << 20) == verdict("write", 2, 0, 1) == ALLOW
    assert verdict("bind", 5) == verdict("bind", 2) == refuse(1)
    assert verdict("close", 5) == verdict("close", 2) == refuse(0)
    assert verdict("bind", 6) == verdict("close", 6) == ALLOW
    assert {verdict("dup2", 9, 5), verdict("dup3", 9, 5)} <= {None, refuse(1)}
    assert verdict("close_range", 5, 5, 0) == refuse(1)


@EVERY_MACHINE
@EVERY_KNOWN_NEED
def test_sockets_that_answer_or_that_nobody_needs_are_refused(machine: Machine, need: Need | None) -> None:
    verdict = verdicts(machine, need)
    assert verdict("socket", 29, 2, 6) == verdict("socket", 29, 2, 7) == refuse(1), "ISO-TP and J1939 answer"
    assert verdict("socket", 29, 2, 2) == refuse(1), "the broadcast manager sends"
    assert (
        verdict("socket", 1, 1, 0) == verdict("socket", 1, 2, 0) == verdict("socket", 40, 1, 0) == refuse(1)
    )
    assert (
        verdict("socket", 2, 3, 255)
        == verdict("socket", 2, 2, 1)
        == verdict("socket", 17, 10, 3)
        == refuse(1)
    )
    assert (verdict("connect", 6) == ALLOW) == (need in {Need.REQUESTS, Need.NAME_LOOKUP})
    for name in ("socketpair", "dup"):
        assert verdict(name, 6, 0, 1) == refuse(1)
    assert verdict("ioctl", 2, 0x5412) == verdict("ioctl", 7, 0x8914) == refuse(1), "TIOCSTI, SIOCSIFFLAGS"


@EVERY_MACHINE
@EVERY_KNOWN_NEED
def test_no_frame_can_leave_by_whatever_call(machine: Machine, need: Need | None) -> None:
    verdict = verdicts(machine, need)
    for name in ("writev", "pwrite64", "pwritev", "pwritev2"):
        assert verdict(name, 6, 0, 1) == refuse(1)
    assert {verdict("write", 6, 0, count) for count in FRAME_BYTES} == {refuse(1)}
    if need is Need.NAME_LOOKUP:
        return
    assert {verdict(name, 6) for name in ("sendmsg", "sendmmsg")} == {refuse(1)}
    for name in ("send", "sendto"):
        assert {verdict(name, 6, 0, count, 0, 0) for count in FRAME_BYTES} <= REFUSED
    assert verdict("sendto", 6, 0, REQUEST_BYTES, 0, 4096) == refuse(1), "to an address"
    assert verdict("sendto", 6, 0, REQUEST_BYTES, 0, 1 << 32) == refuse(1), (
        "to an address with a low half of 0"
    )


@EVERY_MACHINE
def test_what_is_needed_is_open(machine: Machine) -> None:
    assert verdicts(machine, Need.CAN_SOCKETS)("socket", 29, 3 | 0o2000000, 1) == ALLOW
    assert verdicts(machine, Need.PACKET_SOCKETS)("socket", 17, 3 | 0o2000000, 0x0C00) == ALLOW
    assert verdicts(machine, Need.LINK_STATE)("socket", 16, 3, 0) == ALLOW
    assert verdicts(machine, Need.DATAGRAMS)("socket", 10, 2, 0) == ALLOW
    assert verdicts(machine, Need.REQUESTS)("socket", 2, 1, 6) == ALLOW
    assert verdicts(machine, Need.REQUESTS)("sendto", 6, 4096, REQUEST_BYTES) == ALLOW
    assert verdicts(machine, Need.SERIAL_PORTS)("openat", 0, 0, 0o2 | 0o400) == ALLOW
    assert verdicts(machine, None)("openat", 0, 0, 0o2 | 0o400) == refuse(13)
    assert verdicts(machine, Need.COMMANDS)("write", 6, 0, 12) == ALLOW
    assert verdicts(machine, Need.USB_DEVICES)("ioctl", 6, 0x4008_550D) == ALLOW


NEVER = (
    *(
        "execve",
        "execveat",
        "ptrace",
        "process_vm_readv",
        "process_vm_writev",
        "kexec_load",
        "kexec_file_load",
    ),
    *("bpf", "mount", "move_mount", "setns", "unshare", "io_uring_setup", "io_uring_enter", "io_submit"),
    *(
        "splice",
        "vmsplice",
        "tee",
        "sendfile",
        "sendfile64",
        "copy_file_range",
        "dup2",
        "dup3",
        "close_range",
    ),
    *("openat2", "clone3", "creat", "listen", "accept", "accept4", "pidfd_getfd", "kill", "capset", "setuid"),
    *(
        "rename",
        "renameat2",
        "unlink",
        "unlinkat",
        "link",
        "linkat",
        "symlinkat",
        "mkdirat",
        "mknodat",
        "mq_open",
    ),
    *("chmod", "fchmodat", "chown32", "ftruncate", "ftruncate64", "userfaultfd", "seccomp", "memfd_create"),
)


def test_numbers_of_x32_and_of_its_leftovers_are_not_in_this_kernel() -> None:
    for needs in ([], [Need.UNKNOWN]):
        program = receive_only(X86_64, needs, writable=(2, 5), process=77)
        for number in (0x4000_0000 + 1, 0x4000_0000 + 520, 520, 0xFFFF_FFFF):
            assert run(program, X86_64.audit_arch, number, (0,) * 6) == NOT_IN_THIS_KERNEL


def test_a_name_that_no_machine_has_is_refused() -> None:
    with pytest.raises(KeyError, match="sendfrom"):
        build(ARM, [Rule(("read", "sendfrom"))], refuse(1))


def test_a_program_that_the_kernel_would_not_take_is_refused() -> None:
    far = Rule(("read",), (Equals(0, tuple(range(300))),))
    with pytest.raises(ValueError, match="a jump over"):
        build(X86_64, [far], refuse(1))
    many = [Rule((name,), (Equals(0, tuple(range(60))),)) for name in sorted(X86_64.calls)]
    with pytest.raises(ValueError, match="instructions"):
        build(X86_64, many, refuse(1))
    assert len(packed(build(X86_64, [], ALLOW))) == 8 * len(build(X86_64, [], ALLOW))


@pytest.mark.parametrize(
    ("kernel", "wide", "machine"),
    [
        ("x86_64", True, X86_64),
        ("x86_64", False, None),
        ("aarch64", True, AARCH64),
        ("aarch64", False, ARM),
        ("armv8l", False, ARM),
        ("armv7l", False, ARM),
        ("armv6l", False, ARM),
        ("armv7b", False, None),
        ("aarch64_be", True, None),
        ("riscv64", True, None),
        ("i686", False, None),
    ],
)
def test_a_machine_is_told_by_kernel_and_width(kernel: str, wide: bool, machine: Machine | None) -> None:
    assert this_machine(kernel, wide=wide) is machine


HEADERS = {
    X86_64: [Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")],
    AARCH64: [
        Path("/usr/aarch64-linux-gnu/include/asm/unistd_64.h"),
        Path("/usr/include/asm-generic/unistd.h"),
    ],
    ARM: [
        Path("/usr/arm-linux-gnueabihf/include/asm/unistd-eabi.h"),
        Path("/usr/arm-linux-gnueabihf/include/asm/unistd-common.h"),
    ],
}


@EVERY_MACHINE
def test_numbers_are_those_of_the_kernel_s_headers(machine: Machine) -> None:
    headers = [each for each in HEADERS[machine] if each.exists()]
    compiler = shutil.which("cpp") or shutil.which("gcc")
    if not headers or compiler is None:
        pytest.skip(f"no headers of Linux for {machine.name}, or no compiler to read them")
    text = "".join(
        subprocess.run(
            [compiler, "-E", "-dM", "-D__BITS_PER_LONG=64", "-D__ARCH_WANT_SYSCALL_NO_AT", header],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for header in headers
    )
    defined = dict(re.findall(r"#define __NR3?264?_?(\w+) (\S+)", text)) | dict(
        re.findall(r"#define __NR_(\w+) (\S+)", text)
    )
    known = {name: int(number) for name, number in defined.items() if number.isdecimal()}
    compared = {name for name in machine.calls if name in known}
    assert len(compared) > len(machine.calls) * 3 // 4
    assert {name: machine.calls[name] for name in compared} == {name: known[name] for name in compared}


def test_every_call_that_two_machines_share_from_the_unified_numbers_on_is_the_same() -> None:
    for name in NAMES:
        high = {machine.calls.get(name) for machine in MACHINES if machine.calls.get(name, 0) >= 424}
        assert len({number for number in high if number is not None and number < 1000}) <= 1
