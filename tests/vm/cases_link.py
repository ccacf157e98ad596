"""What happens to a real CAN interface is told, step by step, and counted for the account."""

from __future__ import annotations

from tests.vm.guest_link import TOLD, Monitor, link_events, virtual_link


class TestWhatIsToldOfALink:
    def test_all_that_can_happen_to_a_controller(self, monitor: Monitor) -> None:
        """Another bit rate, listen-only off and on, a new name, unplugged, back, and set up anew."""
        assert link_events(monitor) == TOLD

    def test_a_virtual_interface_has_no_controller(self) -> None:
        assert virtual_link() == "vcan7: vcan, FD; listen-only alarm: False"
