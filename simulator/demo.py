"""The demo: vehicle, virtual buses, gateway, broker and platform in one process, and their account."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge.account import Account, Hop
from edge.bus.source import FrameSource
from edge.clock import NS_PER_S, Clock
from edge.config.configuration import Config
from edge.devices import open_buses
from edge.gateway import Gateway
from edge.loading import Loaded, load
from edge.wire.key_files import public_path, write_signing_key
from edge.wire.keys import SigningKey
from simulator.broker import LOOPBACK, EmbeddedBroker
from simulator.platform.assembly import open_platform
from simulator.platform.keyring import load_keys
from simulator.platform.serve import BrokerAccess, PlatformService
from simulator.vehicle.player import Player
from simulator.vehicle.player import open_buses as open_player_buses
from simulator.vehicle.vehicle import ReferenceVehicle
from simulator.vehicle.wiring import DATABASES

VIN = "LNVGATE00XDEM0001"
_READY_S = 20.0
_SETTLE_NS = 5 * NS_PER_S
_DRAIN_S = 20.0


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """What to show.

    Attributes:
        duration_s: how much of the vehicle's time.
        speed: how many seconds of it pass in one.
        seed: decides everything that is drawn in the vehicle.
        scenario: what its driver does.
        profile: the policy, one of those that come with nevgate.
    """

    duration_s: float = 20.0
    speed: float = 1.0
    seed: int = 1
    scenario: str = "drive"
    profile: str = "gbt44464"


@dataclass(frozen=True, slots=True)
class Demonstration:
    """What came of it.

    Attributes:
        account: every hop, from the player to the platform.
        finished: whether everything sent was acknowledged.
        frames_sent: by the player.
        frames_received: by the gateway's interfaces.
        records_made: by the gateway.
        records_stored: by the platform.
    """

    account: Account
    finished: bool
    frames_sent: int
    frames_received: int
    records_made: int
    records_stored: int

    @property
    def complete(self) -> bool:
        """Whether the account balances and every frame and record arrived."""
        return (
            self.finished
            and self.account.balanced
            and self.frames_sent == self.frames_received
            and self.records_made == self.records_stored
        )


def demonstrate(
    plan: DemoPlan,
    folder: Path,
    *,
    clock: Clock,
    stop: threading.Event,
    watch: Callable[[Gateway, Loaded, Player], None] | None = None,
) -> Demonstration:
    """Run the whole road for a while.

    Args:
        plan: what to show.
        folder: an empty one, for keys, broker and store.
        clock: time.
        stop: ends it before its time.
        watch: called after each batch.

    Raises:
        NevgateError: if a part cannot be started.
    """
    with ExitStack() as stack:
        service, port = stack.enter_context(_platform(folder))
        loaded = load(_configuration(plan, folder, port))
        vehicle = ReferenceVehicle(plan.seed, plan.scenario)
        source = stack.enter_context(open_buses(loaded.config, clock))
        channels = {bus.name: bus.channel for bus in loaded.config.bus}
        player = Player(open_player_buses(stack, "virtual", channels), clock, speed=plan.speed)
        gateway = Gateway(loaded, clock=clock, rng=random.SystemRandom(), draw=os.urandom)
        ended = threading.Event()
        ending = _Ending(source, player, clock)
        gateway.start()
        with ThreadPoolExecutor(1, "player") as thread:
            playing = thread.submit(player.play, vehicle.frames(plan.duration_s), stop)

            def follow(watched: Gateway) -> None:
                if watch is not None:
                    watch(watched, loaded, player)
                if playing.done() and ending.reached():
                    ended.set()

            try:
                gateway.run(source, stop=ended, watch=follow)
            except BaseException:
                stop.set()
                raise
            finally:
                finished = gateway.finish(_DRAIN_S, stop)
            playing.result()
        service.stop()
        account = Account.of([player.hop(), *gateway.account().hops, *service.hops()])
    return _judged(account, player, source.hop(), gateway.sampler.next_number - 1, finished=finished)


class _Ending:
    """Tells when every frame sent has been handed on, or nothing more has come for a while."""

    def __init__(self, source: FrameSource, player: Player, clock: Clock) -> None:
        self._source = source
        self._player = player
        self._clock = clock
        self._handed_on = -1
        self._since_ns = 0

    def reached(self) -> bool:
        """Whether there is nothing to wait for."""
        handed_on = self._source.hop().left
        if handed_on != self._handed_on:
            self._handed_on, self._since_ns = handed_on, self._clock.boot_ns()
        waited_ns = self._clock.boot_ns() - self._since_ns
        return handed_on >= self._player.hop().left or waited_ns > _SETTLE_NS


def _judged(account: Account, player: Player, received: Hop, made: int, *, finished: bool) -> Demonstration:
    stored = next(hop.left for hop in account.hops if (hop.name, hop.unit) == ("platform", "records"))
    return Demonstration(
        account=account,
        finished=finished,
        frames_sent=player.hop().left,
        frames_received=received.entered,
        records_made=made,
        records_stored=stored,
    )


@contextmanager
def _platform(folder: Path) -> Iterator[tuple[PlatformService, int]]:
    """Start a broker and a platform that trusts the demo's vehicle; hand out the service and the port."""
    keys = folder / "keys"
    keys.mkdir()
    write_signing_key(keys / f"{VIN}.pem", SigningKey.generate())
    platform_key = SigningKey.generate()
    write_signing_key(folder / "platform.pem", platform_key)
    (folder / "broker").mkdir()
    with ExitStack() as stack:
        port = stack.enter_context(EmbeddedBroker(folder / "broker")).port()
        platform = stack.enter_context(
            open_platform(
                keys=load_keys(keys), store=folder / "platform.db", key=platform_key, receipt_interval_s=0.5
            )
        )
        service = stack.enter_context(PlatformService(platform, BrokerAccess(LOOPBACK, port)))
        service.wait_ready(_READY_S)
        yield service, port


def _configuration(plan: DemoPlan, folder: Path, port: int) -> Config:
    return Config.model_validate(
        {
            "vehicle": {"vin": VIN},
            "bus": [
                {
                    "name": name,
                    "interface": "virtual",
                    "channel": f"nevgate-demo-{os.getpid()}-{name}",
                    "fd": True,
                    "database": [{"file": DATABASES / f"nev-{name}.dbc"}],
                }
                for name in ReferenceVehicle.buses
            ],
            "policy": {"profile": plan.profile},
            "sampling": {"collect_period_s": 1.0, "uplink_period_s": 2.0},
            "journal": {"folder": folder / "journal"},
            "uplink": {"host": LOOPBACK, "port": port, "tls": {"enabled": False}},
            "signing": {
                "key": folder / "keys" / f"{VIN}.pem",
                "platform": public_path(folder / "platform.pem"),
            },
        }
    )
