"""Builds a filter of system calls: rules in, a program of classic BPF out, as seccomp(2) takes it; no I/O."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from edge.capturing.system_calls import NAMES, UNIFIED, Machine

ALLOW = 0x7FFF_0000
KILL = 0x8000_0000
"""``SECCOMP_RET_ALLOW`` and ``SECCOMP_RET_KILL_PROCESS`` (linux/seccomp.h)."""

NOT_IN_THIS_KERNEL = 0x0005_0000 | 38
"""``ENOSYS``: what programs take for a kernel that is too old, and know how to do without."""

WORD = 0xFFFF_FFFF
INSTRUCTIONS_MAX = 4096
_JUMP_MAX = 255

_LOAD, _AND, _RETURN = 0x20, 0x54, 0x06
_EQUAL, _GREATER, _NOT_LESS = 0x15, 0x25, 0x35
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16
"""Offsets in ``struct seccomp_data``; an argument is 8 bytes, its low word first."""

_INSTRUCTION = struct.Struct("=HBBI")


def refuse(error: int) -> int:
    """The verdict that a call is not carried out; 0 has it look as if it had been.

    Args:
        error: number of what it fails with (errno(3)).
    """
    return 0x0005_0000 | error


@dataclass(frozen=True, slots=True)
class Equals:
    """An argument has one of some values.

    Attributes:
        argument: its place, from 0.
        values: any of these.
        mask: bits of it that count.
        whole: whether it is as wide as a pointer, so that its upper half has to be 0 as well. Of descriptors,
            flags and other ``int`` the kernel itself does not look at the upper half.
    """

    argument: int
    values: tuple[int, ...]
    mask: int = WORD
    whole: bool = False


@dataclass(frozen=True, slots=True)
class AtMost:
    """An argument as wide as a pointer, such as a count of bytes, is not greater than a bound."""

    argument: int
    bound: int


Condition = Equals | AtMost


@dataclass(frozen=True, slots=True)
class Rule:
    """What becomes of some calls.

    Attributes:
        calls: their names; a machine that does not have one does without.
        when: all of these have to hold; none: it is always so.
        verdict: `ALLOW`, or what `refuse` gives.
    """

    calls: tuple[str, ...]
    when: tuple[Condition, ...] = ()
    verdict: int = ALLOW


class Instruction(NamedTuple):
    """``struct sock_filter`` (linux/filter.h): operation, how far to jump if so and if not, a constant."""

    code: int
    if_so: int
    if_not: int
    constant: int


def build(machine: Machine, rules: Sequence[Rule], default: int) -> tuple[Instruction, ...]:
    """The program of a filter.

    The first rule of a call whose conditions hold decides. Where none does, and for calls that no rule names,
    the default holds, but numbers from `UNIFIED` on that no rule names are not in this kernel. A call of
    another machine (a 32-bit one of i386 on x86-64) kills the process; those of x32, which come as ones of
    x86-64 with bit 30 set, are above `UNIFIED` and therefore not in this kernel.

    Args:
        machine: whose calls they are.
        rules: calls that are made often come first, for the program tries one after the other.
        default: verdict on everything else.

    Raises:
        KeyError: no machine has a call of that name.
        ValueError: the program gets longer than the kernel takes.
    """
    by_number: dict[int, list[Rule]] = {}
    for rule in rules:
        if not NAMES.issuperset(rule.calls):
            raise KeyError(*(set(rule.calls) - NAMES))
        for name in rule.calls:
            number = machine.calls.get(name)
            if number is not None:
                by_number.setdefault(number, []).append(rule)
    program = [
        Instruction(_LOAD, 0, 0, _ARCH),
        Instruction(_EQUAL, 1, 0, machine.audit_arch),
        Instruction(_RETURN, 0, 0, KILL),
        Instruction(_LOAD, 0, 0, _NUMBER),
    ]
    for number, its_rules in by_number.items():
        body = _body(its_rules, default)
        program.append(Instruction(_EQUAL, 0, _jump(len(body)), number))
        program += body
    program += [
        Instruction(_NOT_LESS, 0, 1, UNIFIED),
        Instruction(_RETURN, 0, 0, NOT_IN_THIS_KERNEL),
        Instruction(_RETURN, 0, 0, default),
    ]
    if len(program) > INSTRUCTIONS_MAX:
        raise ValueError(f"a filter of {len(program)} instructions")
    return tuple(program)


def packed(program: Sequence[Instruction]) -> bytes:
    """A program as an array of ``struct sock_filter``."""
    return b"".join(_INSTRUCTION.pack(*each) for each in program)


def _body(rules: Sequence[Rule], default: int) -> list[Instruction]:
    """What decides on one call; it always comes to a verdict, so that the number need not be loaded again."""
    body: list[Instruction] = []
    for rule in rules:
        code = [step for condition in rule.when for step in _steps(condition)]
        end = len(code) + 1
        for place, (operation, if_so, if_not, constant) in enumerate(code):
            failed = end - place - 1
            body.append(
                Instruction(
                    operation,
                    _jump(failed if if_so is None else if_so),
                    _jump(failed if if_not is None else if_not),
                    constant,
                )
            )
        body.append(Instruction(_RETURN, 0, 0, rule.verdict))
        if not rule.when:
            return body
    body.append(Instruction(_RETURN, 0, 0, default))
    return body


def _jump(distance: int) -> int:
    if distance > _JUMP_MAX:
        raise ValueError(f"a jump over {distance} instructions")
    return distance


_Step = tuple[int, int | None, int | None, int]
"""An instruction; None is a jump to where the condition has failed."""


def _steps(condition: Condition) -> list[_Step]:
    low = _ARGUMENTS + 8 * condition.argument
    upper_is_zero: list[_Step] = [(_LOAD, 0, 0, low + 4), (_EQUAL, 0, None, 0)]
    if isinstance(condition, AtMost):
        return [*upper_is_zero, (_LOAD, 0, 0, low), (_GREATER, None, 0, condition.bound)]
    steps = upper_is_zero if condition.whole else []
    steps.append((_LOAD, 0, 0, low))
    if condition.mask != WORD:
        steps.append((_AND, 0, 0, condition.mask))
    others = len(condition.values) - 1
    steps += [(_EQUAL, others - place, 0, value) for place, value in enumerate(condition.values[:-1])]
    steps.append((_EQUAL, 0, None, condition.values[-1]))
    return steps
