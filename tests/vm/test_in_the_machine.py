"""All cases that run inside the virtual machine; one file, so that one machine is booted for them."""

from tests.vm.cases_conformance import TestPythonCanOnVcan, TestRawOnVcan, TestRingOnVcan
from tests.vm.cases_gateway import TestTheGatewayBesideCanUtils
from tests.vm.cases_kernel import TestWhatLinksDoToSockets, TestWhatSocketsSee, bus, wire
from tests.vm.cases_links import TestCaptureGoesOn, TestWhatIsToldOfALink

__all__ = [
    "TestCaptureGoesOn",
    "TestPythonCanOnVcan",
    "TestRawOnVcan",
    "TestRingOnVcan",
    "TestTheGatewayBesideCanUtils",
    "TestWhatIsToldOfALink",
    "TestWhatLinksDoToSockets",
    "TestWhatSocketsSee",
    "bus",
    "wire",
]
