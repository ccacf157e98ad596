"""What the gateway knows of its supervisor between two of its reports."""

from __future__ import annotations

from types import SimpleNamespace

from edge.power.line import PowerEvent, PowerSaid
from edge.power.link import PowerLink
from edge.power.supervisor import SupervisorEvent, SupervisorState, SupervisorStatus


def test_an_event_of_the_ignition_counts_before_the_next_report_does() -> None:
    on = SupervisorStatus(SupervisorState.ON, 12_600, ignition=True)
    told = [
        PowerSaid(status=on),
        PowerSaid(events=(PowerEvent(SupervisorEvent.IGNITION, 0, "ignition"),)),
        PowerSaid(events=(PowerEvent(SupervisorEvent.CRANKING_OVER, 1, ""),)),
        PowerSaid(status=on),
    ]
    link = PowerLink(SimpleNamespace(said=lambda: told.pop(0)))
    ignition = []
    while told:
        link.hear()
        assert link.status is not None
        ignition.append(link.status.ignition)
    assert ignition == [True, False, False, True]
