"""A vehicle whose frames hold a token of each class, its files, and the policy that it drives under."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from edge.wire.key_files import public_path, write_signing_key
from edge.wire.keys import SigningKey
from tests.live_canary.tokens import LON, Kind, Tokens, latitude
from tests.policy.signed import signed_policy

VIN = "LNVTEST0000000001"
MOTION, GNSS, WHEELS, CELL = 0x100, 0x110, 0x120, 0x130
CABIN, PERSON, CAMERA, NOBODY, STRANGER = 0x200, 0x210, 0x220, 0x230, 0x240

DATABASES = {
    "pt": f"""VERSION ""
BU_: ECU
BO_ {MOTION} Motion: 8 ECU
 SG_ Token : 0|56@1+ (1,0) [0|0] "" ECU
 SG_ Speed : 56|8@1+ (1,0) [0|255] "km/h" ECU
BO_ {GNSS} Gnss: 16 ECU
 SG_ Latitude : 0|32@1- (0.000001,0) [-90|90] "deg" ECU
 SG_ Longitude : 32|32@1- (0.000001,0) [-180|180] "deg" ECU
 SG_ Token : 64|56@1+ (1,0) [0|0] "" ECU
BO_ {WHEELS} Wheels: 8 ECU
 SG_ Token : 0|56@1+ (1,0) [0|0] "" ECU
BO_ {CELL} Cell: 8 ECU
 SG_ Token : 0|56@1+ (1,0) [0|0] "" ECU
BA_DEF_ BO_ "VFrameFormat" ENUM "StandardCAN","ExtendedCAN","reserved","J1939PG","StandardCAN_FD";
BA_DEF_DEF_ "VFrameFormat" "StandardCAN";
BA_ "VFrameFormat" BO_ {GNSS} 4;
""",
    "body": f"""VERSION ""
BU_: ECU
BO_ {CABIN} Cabin: 8 ECU
 SG_ Token : 0|56@1+ (1,0) [0|0] "" ECU
 SG_ Lights : 56|8@1+ (1,0) [0|255] "" ECU
BO_ {PERSON} Person: 16 ECU
 SG_ Name1 : 0|64@1+ (1,0) [0|0] "" ECU
 SG_ Name2 : 64|64@1+ (1,0) [0|0] "" ECU
BO_ {CAMERA} Camera: 8 ECU
 SG_ Token : 0|56@1+ (1,0) [0|0] "" ECU
BO_ {NOBODY} Nobody: 8 ECU
 SG_ Token : 0|56@1+ (1,0) [0|0] "" ECU
BA_DEF_ BO_ "VFrameFormat" ENUM "StandardCAN","ExtendedCAN","reserved","J1939PG","StandardCAN_FD";
BA_DEF_DEF_ "VFrameFormat" "StandardCAN";
BA_ "VFrameFormat" BO_ {PERSON} 4;
""",
}
"""Names of people are 16 letters; nobody has a class for the message Nobody."""

CLASSES = {
    "pt": '[operation]\nsignals = ["Motion.*"]\n[position]\nsignals = ["Gnss.*", "Wheels.*"]\n'
    '[health]\nsignals = ["Cell.*"]\n',
    "body": '[operation]\nsignals = ["Cabin.Lights"]\n[cabin]\nsignals = ["Cabin.Token"]\n'
    '[identity]\nsignals = ["Person.*"]\n[exterior]\nsignals = ["Camera.*"]\n',
}

BINDING = """
[items."vehicle.speed"]
signal = "Motion.Speed"
[items."gnss.lat"]
signal = "Gnss.Latitude"
[items."gnss.lon"]
signal = "Gnss.Longitude"
[items."gnss.datum"]
constant = "WGS84"
"""

POLICY = """
format = 1
name = "live canary"
version = 1
profile = "gbt44464"
contact = "the test bench"
[[rule]]
class = "position"
purposes = ["regulated"]
basis = "consent"
jurisdictions = ["CN"]
retention_days = 7
longest_days = 7
erase_within_s = 60
[[rule]]
class = "position"
purposes = ["recording"]
basis = "consent"
retention_days = 7
longest_days = 7
erase_within_s = 60
[[rule]]
class = "cabin"
purposes = ["recording"]
basis = "consent"
retention_days = 7
longest_days = 7
erase_within_s = 60
[[deny]]
class = "identity"
[[deny]]
class = "health"
[[area]]
name = "forbidden"
corners = [[121.0, 31.65], [122.0, 31.65], [122.0, 31.95], [121.0, 31.95]]
datum = "wgs84"
withhold = "position"
"""
"""Whoever drives is asked for position and cabin; nobody ever agrees to exterior."""


Sent = tuple[str, int, bytes, bool]
"""A frame: bus, id, payload, and whether it is CAN FD."""


def one_round(tokens: Tokens, number: int, *, inside: bool, speed: int) -> Iterator[Sent]:
    """One frame of each message.

    Args:
        tokens: that stand in the frames.
        number: of them all.
        inside: whether the vehicle is in the forbidden area.
        speed: in km/h; from 200 on an event begins.
    """

    def token(kind: Kind) -> bytes:
        return tokens.token(kind, number).to_bytes(7, "little")

    place = b"".join(
        round(degrees * 1e6).to_bytes(4, "little") for degrees in (latitude(number, inside=inside), LON)
    )
    yield "pt", MOTION, token(Kind.OPERATION) + bytes([speed]), False
    yield "pt", GNSS, place + token(Kind.POSITION) + b"\0", True
    yield "pt", WHEELS, token(Kind.POSITION) + b"\0", False
    yield "pt", CELL, token(Kind.HEALTH) + b"\0", False
    yield "body", CABIN, token(Kind.CABIN) + b"\1", False
    yield "body", PERSON, tokens.text(Kind.IDENTITY, number), True
    yield "body", CAMERA, token(Kind.EXTERIOR) + b"\0", False
    yield "body", NOBODY, token(Kind.UNCLASSIFIED) + b"\0", False
    yield "body", STRANGER, token(Kind.UNDESCRIBED) + b"\0", False


def write_configuration(
    folder: Path, buses: Mapping[str, str], uplink: str, *, journal: Path | None = None
) -> Path:
    """Write the vehicle's files and its configuration into a folder; give the latter's path.

    Args:
        folder: an empty one.
        buses: lines for the table of each bus.
        uplink: lines of the table of the uplink.
        journal: folder of the journal; without one, ``journal`` beside the rest.
    """
    write_signing_key(folder / "vehicle.pem", SigningKey.seeded(b"vehicle"))
    write_signing_key(folder / "platform.pem", SigningKey.seeded(b"platform"))
    (folder / "pt.binding.toml").write_text(BINDING)
    tables = ""
    for name, text in DATABASES.items():
        (folder / f"{name}.dbc").write_text(text)
        (folder / f"{name}.classes.toml").write_text(CLASSES[name])
        tables += f'[[bus]]\nname = "{name}"\n{buses[name]}\n[[bus.database]]\nfile = "{name}.dbc"\n'
    path = folder / "nevgate.toml"
    path.write_text(
        f'[vehicle]\nvin = "{VIN}"\n{tables}{signed_policy(folder, POLICY)}'
        "[sampling]\nuplink_period_s = 1\nreorder_horizon_s = 0.1\n"
        '[[event]]\nname = "fast"\nall_of = ["pt.Motion.Speed >= 200"]\npre_s = 3\npost_s = 1\n'
        f'[journal]\nfolder = "{journal or folder / "journal"}"\nframes = true\n'
        f'[uplink]\nhost = "127.0.0.1"\njurisdiction = "CN"\n{uplink}\n'
        f'[signing]\nkey = "vehicle.pem"\nplatform = "{public_path(folder / "platform.pem")}"\n'
    )
    return path
