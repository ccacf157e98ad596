"""All cases that run inside the virtual machine; one file, so that one machine is booted for them."""

from tests.vm.cases_camera import TestADrawnCamera
from tests.vm.cases_conformance import (
    TestPythonCanOnController,
    TestPythonCanOnVcan,
    TestRawOnController,
    TestRawOnVcan,
    TestRingOnController,
    TestRingOnVcan,
    TestSharedRingOnController,
    TestSharedRingOnVcan,
)
from tests.vm.cases_gateway import (
    TestAControllerThatTakesPart,
    TestTheGatewayBesideCanUtils,
    TestTheGatewayByEachWay,
)
from tests.vm.cases_kernel import TestWhatLinksDoToSockets, TestWhatSocketsSee, bus, wire
from tests.vm.cases_links import TestCaptureGoesOn, TestWhatIsToldOfALink

__all__ = [
    "TestAControllerThatTakesPart",
    "TestADrawnCamera",
    "TestCaptureGoesOn",
    "TestPythonCanOnController",
    "TestPythonCanOnVcan",
    "TestRawOnController",
    "TestRawOnVcan",
    "TestRingOnController",
    "TestRingOnVcan",
    "TestSharedRingOnController",
    "TestSharedRingOnVcan",
    "TestTheGatewayBesideCanUtils",
    "TestTheGatewayByEachWay",
    "TestWhatIsToldOfALink",
    "TestWhatLinksDoToSockets",
    "TestWhatSocketsSee",
    "bus",
    "wire",
]
