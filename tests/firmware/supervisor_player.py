"""Plays a scenario through the power supervisor, on either Python; as a program, from JSON."""

import json
import sys

if sys.implementation.name == "micropython":
    from supervisor import machine  # type: ignore[import-not-found]
    from supervisor.parameters import Parameters  # type: ignore[import-not-found]
else:
    from typing import Any

    from firmware.supervisor import machine
    from firmware.supervisor.parameters import Parameters


def play(
    scenario: dict[str, Any],
    step_ms: int = 0,
    module: Any = machine,  # noqa: ANN401 - a module, also one that was broken on purpose
) -> tuple[list[list[int]], int]:
    """Play a scenario.

    Args:
        scenario: a table as in supervisor_scenarios.py.
        step_ms: between two steps; 0 for the scenario's own.
        module: whose machine is played.

    Returns:
        What the machine did: time, code, cause, and the argument, in order; requests said again are left out.
    """
    step_ms = step_ms or scenario.get("step_ms", 50)
    start_ms = scenario.get("start_ms", 0)
    box = module.PowerSupervisor(
        Parameters(**scenario.get("parameters", {})),
        start_ms,
        scenario.get("powered", False),
    )
    answer_ms = scenario.get("answer_ms", -1)
    asked_at_ms = -1
    did: list[list[int]] = []
    t_ms = 0
    for length_ms, ignition, supply_mv, can_active, command in scenario["segments"]:
        _give(box, command)
        end_ms = t_ms + length_ms
        while t_ms < end_ms:
            again = box.state == module.SHUTTING_DOWN
            now_ms = (start_ms + t_ms) & 0x3FFFFFFF
            for code, cause, argument in box.step(now_ms, ignition, supply_mv, can_active):
                if code == module.SHUTDOWN_PLEASE:
                    if again:
                        continue
                    asked_at_ms = t_ms
                did.append([t_ms, code, cause, argument])
            if answer_ms >= 0 and asked_at_ms >= 0 and t_ms - asked_at_ms >= answer_ms:
                box.shutdown_done()
                asked_at_ms = -1
            t_ms += step_ms
    return did, box.state


def _give(box: machine.PowerSupervisor, command: tuple[str, int] | None) -> None:
    if not command:
        return
    name, value = command
    if name == "done":
        box.shutdown_done()
    elif name == "keep":
        box.keep_power(value)
    elif name == "wake":
        box.set_wake(value)
    else:
        raise ValueError(name)


if __name__ == "__main__":
    with open(sys.argv[1]) as file:  # noqa: PTH123 - MicroPython has no pathlib
        scenarios = json.load(file)
    sys.stdout.write(json.dumps([play(each) for each in scenarios]))
