"""What a seccomp filter decides, told twice: by running its program, and by reading its rules."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from edge.capturing.seccomp import KILL, NOT_IN_THIS_KERNEL, AtMost, Condition, Instruction, Rule
from edge.capturing.system_calls import UNIFIED, Machine

_WIDE = 0xFFFF_FFFF_FFFF_FFFF


def run(program: Sequence[Instruction], arch: int, number: int, arguments: Sequence[int]) -> int:
    """Run a program of classic BPF as seccomp(2) does (Documentation/networking/filter.rst).

    Knows the operations that filters are made of; everything else, and an end without a verdict, is an error.
    """
    data = struct.pack("<IIQ6Q", number, arch, 0x7FFF_1234, *arguments)
    accumulator = place = 0
    while True:
        code, if_so, if_not, constant = program[place]
        place += 1
        match code:
            case 0x20:
                assert constant % 4 == 0
                (accumulator,) = struct.unpack_from("<I", data, constant)
            case 0x54:
                accumulator &= constant
            case 0x05:
                place += constant
            case 0x15:
                place += if_so if accumulator == constant else if_not
            case 0x25:
                place += if_so if accumulator > constant else if_not
            case 0x35:
                place += if_so if accumulator >= constant else if_not
            case 0x06:
                return constant
            case _:
                raise AssertionError(f"no operation of a filter: {code:#x}")


def judge(
    machine: Machine, rules: Sequence[Rule], default: int, arch: int, number: int, arguments: Sequence[int]
) -> int:
    """Decide by the words of the rules."""
    if arch != machine.audit_arch:
        return KILL
    names = {name for name, its in machine.calls.items() if its == number}
    named = [rule for rule in rules if names.intersection(rule.calls)]
    for rule in named:
        if all(_holds(condition, arguments) for condition in rule.when):
            return rule.verdict
    return NOT_IN_THIS_KERNEL if not named and number >= UNIFIED else default


def _holds(condition: Condition, arguments: Sequence[int]) -> bool:
    value = arguments[condition.argument]
    if isinstance(condition, AtMost):
        return value <= condition.bound
    if condition.whole:
        return value & (_WIDE ^ 0xFFFF_FFFF | condition.mask) in condition.values
    return value & condition.mask in condition.values
