"""A platform that speaks GB/T 32960.3, as [uplink] or [[destination]] name it (docs/gbt32960.md)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from edge.catalogue.item import Edition
from edge.config.platform import PlatformSection, is_loopback
from edge.config.section import ConfigPath, Section
from edge.errors import ConfigError
from edge.uplink.gbt.answered import Order
from edge.uplink.gbt.commands import CommandRules, Repeated
from edge.uplink.gbt.data_keys import DataKeyRules, KeyProtection
from edge.uplink.gbt.options import AnswerTime, LoginSilence, SessionOptions
from edge.uplink.gbt.orders import OrderRules
from edge.uplink.gbt.parameters import ParameterRules
from edge.uplink.gbt.rules import SessionRules, rule_names, session_rules
from edge.uplink.gbt.server_change import ChangeAnswer, ChangeRules
from edge.uplink.gbt.terminal import Terminal
from edge.wire.gbt.frame import Encryption
from edge.wire.gbt.options import ActivationCodes, MissingList, Options, Overflow
from edge.wire.gbt.profile import BUILT_IN
from edge.wire.gbt.security.choices import BlockMode, RsaPadding, SecurityOptions, Sm2Format

GBT = "gb/t 32960"
"""How the protocols begin that this is about; the edition follows."""

_HEX_IV = re.compile(r"([0-9A-Fa-f]{32})?")


class GbtOptionsSection(Section):
    """What the standard leaves open of messages."""

    overflow: Overflow = Field(
        default=Overflow.ABNORMAL, description="what a value beyond the edition's range becomes"
    )
    missing_lists: MissingList = MissingList.CODED
    unstated_codes: bool = True
    pedals: bool = True
    discharge_positive: bool = True
    hydrogen_mass_most: Annotated[int, Field(ge=1, le=65_533)] = 60_000
    signature_covers_mark: bool = False
    activation_codes: ActivationCodes = ActivationCodes.FROM_ZERO

    @property
    def options(self) -> Options:
        """As the codec takes them."""
        return Options(
            overflow=self.overflow,
            missing_lists=self.missing_lists,
            unstated_codes=self.unstated_codes,
            pedals=self.pedals,
            discharge_positive=self.discharge_positive,
            hydrogen_mass_most=self.hydrogen_mass_most,
            signature_covers_mark=self.signature_covers_mark,
            activation_codes=self.activation_codes,
        )


class GbtSignatureSection(Section):
    """What signs each report (2025)."""

    key: ConfigPath = Field(description="private key of SM2, RSA or ECC, made by 'nevgate gbt make-key'")
    sm2_id: Annotated[str, Field(min_length=1, max_length=256)] = Field(
        default="1234567812345678", description="the signer's id, as the platform expects it (GM/T 0009)"
    )

    @property
    def security(self) -> SecurityOptions:
        """As the signer takes them."""
        return SecurityOptions(sm2_id=self.sm2_id.encode())


class GbtCipherSection(Section):
    """What encrypts the data unit of each message."""

    key: ConfigPath = Field(
        description="agreed key: 'aes-128' or 'sm4' and 32 hex digits, or the platform's public key"
    )
    block_mode: BlockMode = BlockMode.CBC
    fixed_iv: str = Field(default="", description='32 hex digits, with block_mode = "cbc-fixed-iv" alone')
    rsa_padding: RsaPadding = RsaPadding.PKCS1_V15
    sm2_format: Sm2Format = Sm2Format.C1C3C2

    @model_validator(mode="after")
    def _iv_where_it_belongs(self) -> Self:
        if not _HEX_IV.fullmatch(self.fixed_iv):
            raise ValueError("fixed_iv has 32 hex digits")
        if bool(self.fixed_iv) != (self.block_mode is BlockMode.CBC_FIXED_IV):
            raise ValueError('fixed_iv goes with block_mode = "cbc-fixed-iv", and with no other')
        return self

    @property
    def security(self) -> SecurityOptions:
        """As the cipher takes them."""
        return SecurityOptions(
            block_mode=self.block_mode,
            fixed_iv=bytes.fromhex(self.fixed_iv),
            rsa_padding=self.rsa_padding,
            sm2_format=self.sm2_format,
        )


class GbtActivationSection(Section):
    """How the terminal makes itself known before its first login (2025, commands 09 and 0A)."""

    chip_id: Annotated[str, Field(pattern=r"^[ -~]{1,16}$")] = Field(
        description="of the security chip, up to 16 ASCII characters"
    )
    key: ConfigPath = Field(description="private key of the chip: SM2, RSA or ECC")
    already_active_counts: bool = Field(
        default=True, description="whether a terminal whose chip is active already goes on to its login"
    )


class GbtDataKeysSection(Section):
    """Keys of data units that both sides make and exchange (2025, command 0B)."""

    encryption: Literal["sm4", "aes"] = "sm4"
    key: ConfigPath | None = Field(
        default=None,
        description="private key of SM2 or RSA, for the platform's data keys; without one, none is taken",
    )
    platform: ConfigPath | None = Field(
        default=None,
        description="its public key, for data keys that are made here; without one, none is made",
    )
    protection: KeyProtection = KeyProtection.FIELD
    validity_s: Annotated[int, Field(ge=1200, le=2_592_000)] = 86_400
    ahead_s: Annotated[int, Field(ge=1, le=1199)] = 600

    @model_validator(mode="after")
    def _one_side_makes_them(self) -> Self:
        if self.key is None and self.platform is None:
            raise ValueError("set 'platform' to make data keys, or 'key' to take the platform's, or both")
        return self

    @property
    def rules(self) -> DataKeyRules:
        """As the session takes them."""
        return DataKeyRules(
            encryption=Encryption.SM4 if self.encryption == "sm4" else Encryption.AES,
            offers=self.platform is not None,
            accepts=self.key is not None,
            protection=self.protection,
            validity_s=self.validity_s,
            ahead_s=self.ahead_s,
        )


class GbtCommandsSection(Section):
    """What the platform may ask, set and order (commands 80 to 82)."""

    query: bool = True
    set: bool = Field(default=False, description="periods, time-outs and, as far as allowed, the server")
    servers: tuple[str, ...] = Field(
        default=(), description="other hosts that the platform may send this terminal to"
    )
    orders: tuple[Literal["drop link", "alarm"], ...] = Field(
        default=("drop link",), description="control orders that are carried out; all others are refused"
    )
    window_s: Annotated[float, Field(ge=1, le=86_400)] = Field(
        default=300.0, description="how far the time of a command may be from now"
    )
    repeated: Repeated = Repeated.SUCCESS
    answer: ChangeAnswer = ChangeAnswer.NEW_SERVER
    within_s: Annotated[float, Field(ge=1, le=3600)] = 120.0
    retry_s: Annotated[float, Field(ge=1, le=600)] = 20.0
    name_needs_length: bool = True

    @property
    def rules(self) -> CommandRules:
        """Which commands are taken."""
        return CommandRules(self.query, self.set, self.window_s, self.repeated)

    @property
    def parameters(self) -> ParameterRules:
        """How parameters are queried and set."""
        change = ChangeRules(self.within_s, self.retry_s, self.answer, self.servers)
        return ParameterRules(self.name_needs_length, change)

    @property
    def order_rules(self) -> OrderRules:
        """The control orders that are carried out."""
        return OrderRules(frozenset(Order[one.upper().replace(" ", "_")] for one in self.orders))


def _profile(name: str, info: ValidationInfo) -> str:
    if not name or name in BUILT_IN:
        return name
    folder = info.context.get("folder") if info.context else None
    return name if folder is None else str(Path(folder) / Path(name).expanduser())


class GbtSection(PlatformSection):
    """A platform that speaks GB/T 32960.3."""

    protocol: Literal["gb/t 32960-2016", "gb/t 32960-2025"]
    port: Annotated[int, Field(ge=1, le=65_535)] = Field(description="as the platform names it")
    acknowledge: Literal["silence", "response"] = Field(
        default="silence",
        description="what lets go of a report: a later heartbeat's answer without an error before it, or the "
        "platform's own answer to the report",
    )
    report_period_s: Annotated[int, Field(ge=1, le=30)] = Field(
        default=10, description="one record is told in this time, and all around an alarm of level 3 or 4"
    )
    session: dict[str, float] = Field(
        default_factory=dict,
        description="intervals and retries that are to be otherwise than the edition has them "
        "(docs/gbt32960.md), such as heartbeat_s = 30",
    )
    login_silence: LoginSilence = Field(
        default=LoginSilence.NO_ANSWER, description="what a login means that is not answered"
    )
    answer_time: AnswerTime = Field(
        default=AnswerTime.SAME, description="which time the answer to a login bears"
    )
    profile: Annotated[str, AfterValidator(_profile)] = Field(
        default="", description=f"custom blocks: {', '.join(BUILT_IN)}, or a file"
    )
    options: GbtOptionsSection = GbtOptionsSection()
    signature: GbtSignatureSection | None = None
    cipher: GbtCipherSection | None = None
    activation: GbtActivationSection | None = None
    data_keys: GbtDataKeysSection | None = None
    commands: GbtCommandsSection = GbtCommandsSection()
    plain_because: str = Field(
        default="", description="why neither TLS nor a cipher protects what goes there, in words"
    )

    @property
    def edition(self) -> Edition:
        """Of the standard."""
        return Edition(int(self.protocol.rpartition("-")[2]))

    @property
    def protected(self) -> bool:
        """See `PlatformSection.protected`: by TLS, or by encryption of the data units."""
        return self.tls.enabled or self.cipher is not None or self.data_keys is not None

    def terminal(self, vin: str, iccid: str, packs: tuple[tuple[str, ...], ...]) -> Terminal:
        """What the terminal says of itself at the login.

        Raises:
            ConfigError: the edition cannot say it.
        """
        return Terminal(self.edition, vin, iccid, packs)

    @property
    def rules(self) -> SessionRules:
        """The intervals, retries and windows of the session."""
        return session_rules(self.edition, **self.session)

    @property
    def session_options(self) -> SessionOptions:
        """What the standard leaves open of the session."""
        return SessionOptions(
            where=f"{self.host}:{self.port}",
            acknowledge=self.acknowledge,
            login_silence=self.login_silence,
            answer_time=self.answer_time,
        )

    @field_validator("protocol", mode="before")
    @classmethod
    def _any_case(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _read_by_nobody_on_the_way(self) -> Self:
        if not (self.protected or is_loopback(self.host) or self.plain_because.strip()):
            raise ValueError(
                f"what goes to '{self.host}' could be read on the way, and holds the vehicle's position "
                "(GB/T 44464-2024 5.6.1); set tls.enabled = true, or a cipher, or say in plain_because "
                "why there is neither"
            )
        return self

    @model_validator(mode="after")
    def _edition_has_it(self) -> Self:
        if self.edition is Edition.Y2016:
            for name in ("signature", "activation", "data_keys"):
                if getattr(self, name) is not None:
                    raise ValueError(f"the edition of 2016 has no {name}; take the table away")
        return self

    @model_validator(mode="after")
    def _rules_can_be(self) -> Self:
        try:
            _ = self.rules
        except ConfigError as error:
            raise ValueError(f"session: {error.what}; there are {', '.join(rule_names())}") from error
        return self

    @model_validator(mode="after")
    def _one_cipher(self) -> Self:
        if self.cipher is not None and self.data_keys is not None:
            raise ValueError("either a cipher is agreed on, or data_keys are exchanged; not both")
        return self


class GbtDestinationSection(GbtSection):
    """A further platform that speaks GB/T 32960.3; with its own place in the journal."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")] = Field(
        description="what the journal and the account call it"
    )


def tongue_of(value: object) -> str:
    """What tells tables of GB/T 32960.3 and of MQTT apart: the protocol that they name."""
    said = value.get("protocol") if isinstance(value, dict) else getattr(value, "protocol", None)
    gbt = isinstance(said, str) and said.lower().startswith("gb")
    return GBT if gbt else "mqtt"
