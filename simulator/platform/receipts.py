"""Receipts: what has arrived of a stream, and by the hash of its newest checkpoint the countersignature."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from edge.uplink.outgoing import VehicleTopics
from edge.wire.cose import Role, Signer
from edge.wire.device_keys import DeviceKey
from edge.wire.keys import SigningKey
from edge.wire.mac0 import Authenticator
from edge.wire.receipt import NumberRange, Receipt
from edge.wire.receipt import encode as encode_receipt
from simulator.platform.sequence import Sequence

RECEIPT_SPANS = 256
"""Missing ranges in one receipt; where there are more, the lowest are named as one."""

SIGNERS_IN_MEMORY = 1024


@dataclass(frozen=True, slots=True)
class Publication:
    """A receipt to publish, QoS 1.

    Attributes:
        topic: MQTT topic.
        payload: the signed or authenticated receipt.
    """

    topic: str
    payload: bytes


def receipt_of(
    stream: bytes,
    sequence: Sequence,
    server_time_ns: int,
    spans_at_most: int = RECEIPT_SPANS,
    *,
    countersigned: bytes | None = None,
) -> Receipt:
    """The cumulative receipt of a stream: what is settled up to its highest number, and what is missing.

    Where more ranges are missing than a receipt may name, the lowest are named as one range, with what is
    stored between them: a receipt never acknowledges what is not here, and what came last is acknowledged
    however torn the numbers below are. A vehicle that sends its backlog from the oldest on moves the
    watermark, and so learns of that as well.

    Args:
        stream: 16 bytes.
        sequence: its numbers.
        server_time_ns: Unix time in nanoseconds.
        spans_at_most: how many missing ranges it may name.
        countersigned: SHA-256 of the signed checkpoint that the receipt vouches for.
    """
    missing = sequence.missing()
    named_as_one = len(missing) - spans_at_most + 1
    if named_as_one > 1:
        missing = [(missing[0][0], missing[named_as_one - 1][1]), *missing[named_as_one:]]
    return Receipt(
        stream=stream,
        watermark=sequence.watermark,
        missing=tuple(NumberRange(first, last) for first, last in missing),
        server_time_ns=server_time_ns,
        hash=countersigned,
        highest=sequence.highest,
    )


class ReceiptDesk:
    """Signs receipts, with one signer a vehicle; those used last are remembered.

    Args:
        key: the platform's; vehicles know its public half.
    """

    def __init__(self, key: SigningKey) -> None:
        self._key = key
        self._signers: OrderedDict[str, Signer] = OrderedDict()

    def publication(self, vehicle: str, receipt: Receipt, device: DeviceKey | None = None) -> Publication:
        """The receipt, where to publish it, signed, or authenticated for the `device` whose stream it is of.

        A device that cannot sign cannot check signatures either.
        """
        content = encode_receipt(receipt)
        if device is None:
            signed = self._signer(vehicle).sign(content)
        else:
            signed = Authenticator(device, vehicle=vehicle, role=Role.DOWN).authenticate(content)
        return Publication(VehicleTopics(vehicle).receipt, signed)

    def _signer(self, vehicle: str) -> Signer:
        signer = self._signers.get(vehicle)
        if signer is None:
            signer = self._signers[vehicle] = Signer(self._key, vehicle=vehicle, role=Role.DOWN)
            if len(self._signers) > SIGNERS_IN_MEMORY:
                self._signers.popitem(last=False)
        return signer
