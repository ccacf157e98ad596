"""The words by which databases name the regulated quantities, to suggest bindings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

_ABBREVIATIONS: Mapping[str, str] = MappingProxyType(
    {
        word: meaning
        for meaning, words in {
            "speed": "spd velocity vel drehzahl rpm",
            "voltage": "volt volts v u spannung vbatt ubatt",
            "current": "curr cur i strom ibatt amp amps",
            "temperature": "temp tmp t temperatur",
            "battery": "bat batt hvb akku bms",
            "soc": "stateofcharge ladezustand",
            "odometer": "odo mileage kilometers",
            "latitude": "lat",
            "longitude": "lon lng long",
            "acceleration": "accel acc accl",
            "torque": "tq trq tor moment",
            "motor": "mot emot em mcu tm",
            "controller": "ctrl inverter inv mcu igbt",
            "engine": "eng ice",
            "gear": "prnd prndl shifter selector",
            "insulation": "iso isol isolation ir imd",
            "accelerator": "gas accel acc",
            "pedal": "ped",
            "brake": "brk bremse",
            "charge": "chg charging charger",
            "maximum": "max highest hi high",
            "minimum": "min lowest lo low",
            "cell": "cells zelle",
            "vehicle": "veh car esc abs",
            "satellites": "sats sat",
            "resistance": "res resist",
            "status": "stat state sts mode",
            "wheel": "whl wheels",
            "valid": "validity vld fix",
            "high": "hv",
        }.items()
        for word in words.split()
    }
)
_AMBIGUOUS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "acc": frozenset({"acceleration", "accelerator"}),
        "accel": frozenset({"acceleration", "accelerator"}),
        "mcu": frozenset({"motor", "controller"}),
        "hv": frozenset({"high", "hv"}),
        "soc": frozenset({"soc", "charge"}),
    }
)
_TOKEN = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")


@dataclass(frozen=True, slots=True)
class Wording:
    """How an item is named.

    Attributes:
        core: words of which every group has to be met by one of its members.
        context: words that make a match more likely.
    """

    core: tuple[frozenset[str], ...]
    context: frozenset[str]


def _wording(core: str, context: str) -> Wording:
    groups = tuple(frozenset(group.split("|")) for group in core.split())
    return Wording(groups, frozenset(context.split()))


WORDINGS: Mapping[str, Wording] = MappingProxyType(
    {
        item_id: _wording(core, context)
        for item_id, core, context in (
            (
                "vehicle.state",
                "vehicle|ignition|power|ready status|ignition|ready|switch",
                "vehicle ignition",
            ),
            ("vehicle.charge_state", "charge status", "battery vehicle"),
            ("vehicle.run_mode", "run|drive|powertrain|driving status|mode", "vehicle"),
            ("vehicle.speed", "speed", "vehicle ground displayed"),
            ("vehicle.odometer", "odometer|distance|travelled|traveled", "total vehicle"),
            (
                "hv.voltage",
                "voltage battery|pack|total|high|hv|link|dc",
                "battery pack total high hv link dc",
            ),
            (
                "hv.current",
                "current battery|pack|total|high|hv|dc|shunt",
                "battery pack total high hv dc shunt",
            ),
            ("hv.soc", "soc|charge", "status battery displayed display pack of"),
            ("hv.dcdc_state", "dcdc|dc status", "converter dc"),
            ("vehicle.gear", "gear", "current selected position displayed"),
            ("vehicle.brake_force", "brake", "force pressure pressed active"),
            ("hv.insulation", "insulation", "resistance"),
            ("vehicle.accel_pedal", "accelerator|pedal pedal|position", "travel position accelerator"),
            ("vehicle.brake_pedal", "brake pedal|position", "travel position"),
            ("motor[1].state", "motor status", "drive"),
            ("motor[1].ctrl_temp", "temperature controller", "motor"),
            ("motor[1].speed", "speed", "motor drive actual"),
            ("motor[1].torque", "torque", "motor drive actual"),
            ("motor[1].temp", "temperature motor", "stator winding"),
            ("motor[1].ctrl_voltage", "voltage controller|motor", "dc input motor link"),
            ("motor[1].bus_current", "current controller|motor", "dc bus motor"),
            ("engine.speed", "speed", "engine crank crankshaft"),
            ("engine.fuel_rate", "fuel|consumption", "rate engine instant"),
            ("gnss.valid", "valid gnss|gps|position|fix", "gnss position gps fix"),
            ("gnss.lon", "longitude", "gnss position gps"),
            ("gnss.lat", "latitude", "gnss position gps"),
            ("gnss.satellites", "satellites", "gnss used gps"),
            ("bat.max_cell_v", "cell maximum voltage", "battery"),
            ("bat.min_cell_v", "cell minimum voltage", "battery"),
            ("bat.max_temp", "temperature maximum", "battery cell pack"),
            ("bat.min_temp", "temperature minimum", "battery cell pack"),
            ("alarm.max_level", "alarm|fault|warning level", "highest maximum"),
            ("pack[1].voltage", "voltage pack", "battery"),
            ("pack[1].current", "current pack", "battery"),
            ("pack[1].cells", "cell", "voltage battery"),
            ("pack[1].probes", "temperature|probe", "probe cell battery module"),
            ("imu.accel_x", "acceleration x|longitudinal|long|longitude|ax", "imu"),
            ("imu.accel_y", "acceleration y|lateral|lat|latitude|ay", "imu"),
            ("imu.accel_z", "acceleration z|vertical|vert|az", "imu"),
        )
    }
)

_MISLEADING = """
    limit limits target request requested req desired setpoint set maximum minimum error counter checksum crc
    average predicted ref reference threshold valid validity status accuracy quality unknown unk maybe 12 low
    lv aux coolant cabin ambient outside inside rate remaining supported sup mil clear oxy trim light lamp
"""
MISLEADING = frozenset(_MISLEADING.split())
"""Words that make it unlikely that a signal is the quantity itself, unless the item has them too."""


def words(name: str) -> frozenset[str]:
    """The words in a name, abbreviations spelled out: ``BattHV_Volt`` is battery, high, hv, voltage."""
    found: set[str] = set()
    for token in _TOKEN.findall(name):
        word = token.lower()
        found |= _AMBIGUOUS.get(word, frozenset({_ABBREVIATIONS.get(word, word)}))
        if word in _ABBREVIATIONS and len(word) > 1:
            found.add(word)
    return frozenset(found)
