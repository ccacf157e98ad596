"""All cases that run inside the virtual machine; one file, so that one machine is booted for them."""

from tests.vm.cases_kernel import TestWhatLinksDoToSockets, TestWhatSocketsSee, bus, wire

__all__ = ["TestWhatLinksDoToSockets", "TestWhatSocketsSee", "bus", "wire"]
