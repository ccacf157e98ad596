"""Platforms of GB/T 32960.3 in the configuration: what may be said, and what is refused with the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.catalogue.catalogue import builtin
from edge.catalogue.item import Edition
from edge.config.configuration import Config, load_config
from edge.config.gbt import GbtDestinationSection, GbtSection
from edge.config.uplink import DestinationSection
from edge.errors import ConfigError
from edge.gbt_destination.files import open_gbt_files
from edge.uplink.gbt.answered import Order
from edge.wire.gbt.options import Overflow
from edge.wire.gbt.security.choices import BlockMode
from tests.config.test_config import GOOD, write

CITY = """
[journal]
folder = "journal"

[[destination]]
name = "city"
protocol = "gb/t 32960-2025"
host = "city.example"
port = 32960
"""

PACKS = "".join("0123456789ABCDEFGHIJKLMN")

BROKEN = {
    "no port": ("port = 32960\n", "", ":25: 'destination[0].port' is missing"),
    "misspelt key": (
        "port = 32960",
        "port = 32960\nreport_periode_s = 5",
        ":30: unknown key 'destination[0].report_periode_s'; did you mean 'report_period_s'?",
    ),
    "misspelt key of MQTT": (
        'protocol = "gb/t 32960-2025"',
        'keepalive_s = 5\nplatform = "p.pem"',
        "did you mean 'keep_alive_s'?",
    ),
    "another edition": ("32960-2025", "32960-2020", ":27: 'destination[0].protocol': Input should be"),
    "plain to a distant host": (
        "port = 32960",
        "port = 32960\ntls.enabled = false",
        ":25: 'destination[0]': what goes to 'city.example' could be read on the way",
    ),
    "signature of 2016": (
        "port = 32960",
        'port = 32960\nprotocol = "gb/t 32960-2016"\nsignature.key = "s.pem"',
        "the edition of 2016 has no signature",
    ),
    "slow reports": ("port = 32960", "port = 32960\nreport_period_s = 60", "less than or equal to 30"),
    "a rule that there is not": (
        "port = 32960",
        "port = 32960\nsession.heartbeat = 5",
        "there is no rule 'heartbeat' of a session; there are answer_timeout_s, login_retry_s",
    ),
    "a rule of the standard": (
        "port = 32960",
        "port = 32960\nsession.login_retry_s = 5",
        "login_retry_s is 180 s (annex B, login), and nothing else",
    ),
    "no journal": ('[journal]\nfolder = "journal"\n', "", "further destinations need a journal"),
    "two ciphers": (
        "port = 32960",
        "port = 32960\ncipher.key = 'k'\ndata_keys.platform = 'p.pem'",
        "either a cipher is agreed on, or data_keys are exchanged",
    ),
    "an IV for a mode without": (
        "port = 32960",
        f'port = 32960\n[destination.cipher]\nkey = "k"\nfixed_iv = "{"00" * 16}"',
        "fixed_iv goes with block_mode",
    ),
    "an order that nothing carries out": (
        "port = 32960",
        'port = 32960\ncommands.orders = ["upgrade"]',
        "'destination[0].commands.orders[0]': Input should be 'drop link' or 'alarm'",
    ),
}


def load(folder: Path, text: str) -> Config:
    return load_config(write(folder, text))


def city(folder: Path, more: str = "") -> GbtDestinationSection:
    (section,) = load(folder, GOOD + CITY + more).destination
    assert isinstance(section, GbtDestinationSection)
    return section


@pytest.mark.parametrize(("old", "new", "expected"), BROKEN.values(), ids=BROKEN.keys())
def test_what_is_wrong_is_said_with_line_and_remedy(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    text = GOOD + CITY
    if new.count("protocol"):
        text = text.replace('protocol = "gb/t 32960-2025"\n', "")
    assert old in text
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text.replace(old, new, 1))
    assert expected in str(caught.value)


def test_a_destination_names_its_edition_and_takes_the_careful_defaults(tmp_path: Path) -> None:
    section = city(tmp_path)
    assert section.edition is Edition.Y2025
    assert section.protected
    assert section.acknowledge == "silence"
    assert section.report_period_s == 10
    assert section.commands.order_rules.allowed == {Order.DROP_LINK}
    assert not section.commands.rules.set


def test_all_that_a_platform_may_ask_for_can_be_said(tmp_path: Path) -> None:
    section = city(
        tmp_path,
        'acknowledge = "response"\ncommands.orders = ["alarm"]\nprofile = "maker.toml"\n'
        "[destination.options]\noverflow = 'limit'\n"
        "[destination.signature]\nkey = 'sign.pem'\n"
        f"[destination.cipher]\nkey = 'aes.key'\nblock_mode = 'cbc-fixed-iv'\nfixed_iv = '{'0f' * 16}'\n",
    )
    assert section.profile == str(tmp_path / "maker.toml")
    assert section.options.options.overflow is Overflow.LIMIT
    assert section.signature is not None
    assert section.signature.key == tmp_path / "sign.pem"
    assert section.cipher is not None
    assert section.cipher.security.block_mode is BlockMode.CBC_FIXED_IV
    assert section.cipher.security.fixed_iv == b"\x0f" * 16
    assert section.commands.order_rules.allowed == {Order.ALARM}


def test_a_cipher_that_the_edition_has_no_mark_for_is_refused_with_the_files(tmp_path: Path) -> None:
    (tmp_path / "sm4.key").touch(0o600)
    (tmp_path / "sm4.key").write_text(f"sm4 {'0f' * 16}", "ascii")
    section = city(tmp_path, "[destination.cipher]\nkey = 'sm4.key'\n")
    assert open_gbt_files(section, builtin()).cipher is not None
    older = section.model_copy(update={"protocol": "gb/t 32960-2016"})
    with pytest.raises(ConfigError, match="2016 has no mark for SM4"):
        open_gbt_files(older, builtin())


@pytest.mark.parametrize(
    ("said", "protected"),
    [
        ("[destination.cipher]\nkey = 'aes.key'\n", True),
        ("[destination.data_keys]\nplatform = 'p.pem'\n", True),
        ("plain_because = 'a leased line'\n", False),
    ],
)
def test_without_tls_a_cipher_protects_or_a_reason_is_given(
    tmp_path: Path, said: str, protected: bool
) -> None:
    head, _, tail = said.rpartition("[") if said.startswith("[") else (said, "", "")
    section = city(tmp_path, f"tls.enabled = false\n{head}{'[' + tail if tail else ''}")
    assert section.protected is protected


def test_the_main_platform_may_speak_gbt_and_then_needs_a_journal(tmp_path: Path) -> None:
    only = GOOD.replace(
        'host = "127.0.0.1"', 'host = "127.0.0.1"\nport = 32960\nprotocol = "GB/T 32960-2016"'
    ).replace('platform = "platform.pub.pem"\n', "")
    with pytest.raises(ConfigError, match="it needs a journal"):
        load(tmp_path, only)
    config = load(tmp_path, only + '[journal]\nfolder = "journal"\n')
    assert isinstance(config.uplink, GbtSection)
    assert config.uplink.edition is Edition.Y2016


def test_destinations_of_both_kinds_stand_beside_each_other(tmp_path: Path) -> None:
    config = load(
        tmp_path, GOOD + CITY + '[[destination]]\nname = "fleet"\nhost = "f.example"\nplatform = "f.pem"\n'
    )
    assert [type(one) for one in config.destination] == [GbtDestinationSection, DestinationSection]


@pytest.mark.parametrize(
    ("packs", "expected"),
    [
        (f'[["{PACKS}"]]', ""),
        ('[["short"]]', "the code of a battery pack has 24 characters"),
        (f"[{', '.join(['[]'] * 21)}]", "a login names at most 20 systems of 50 packs"),
    ],
)
def test_pack_codes_are_such_as_the_edition_can_tell(tmp_path: Path, packs: str, expected: str) -> None:
    text = GOOD.replace("[[bus]]", f"packs = {packs}\n[[bus]]", 1) + CITY
    if not expected:
        assert load(tmp_path, text).vehicle.packs == ((PACKS,),)
        return
    with pytest.raises(ConfigError, match=expected):
        load(tmp_path, text)
