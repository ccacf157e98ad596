"""All cases that run inside the virtual machine; one file, so that one machine is booted for them."""

from tests.vm.cases_kernel import TestWhatLinksDoToSockets, TestWhatSocketsSee, bus, wire
from tests.vm.cases_link import TestWhatIsToldOfALink

__all__ = ["TestWhatIsToldOfALink", "TestWhatLinksDoToSockets", "TestWhatSocketsSee", "bus", "wire"]
