"""The requests that the control socket takes, and what each of them does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from edge.consent.desk import ConsentDesk
from edge.consent.entries import Role
from edge.consent.plain import iso_time, plain_entry
from edge.control.uses import plain_use
from edge.errors import ControlError
from edge.policy.admission import Use
from edge.policy.classes import DataClass
from edge.policy.rules import Purpose

LONGEST_REASON = 500


class Steering(Protocol):
    """What a gateway does for the control socket beside its consents."""

    def state(self) -> Mapping[str, object]:
        """What the gateway collects, keeps and sends, without ``ok``; never a value that was collected."""

    def erase(self, data_class: DataClass, *, role: Role, reason: str) -> Mapping[str, object]:
        """Have all data of a class erased; answers when that is begun.

        Raises:
            NevgateError: it cannot be.
        """

    def picture(self, camera: str) -> None:
        """Have a camera's next picture kept.

        Raises:
            ControlError: there is no such camera, or it may not be used now.
        """


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _State(_Request):
    do: Literal["state"]


class _OfUse(_Request):
    data_class: DataClass = Field(alias="class")
    purpose: Purpose
    role: Role

    @property
    def use(self) -> Use:
        return self.data_class, self.purpose


class _Grant(_OfUse):
    do: Literal["grant"]
    term_s: Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
    keep: Annotated[bool, Field(strict=True)] = False


class _Ask(_OfUse):
    do: Literal["ask"]


class _Refuse(_OfUse):
    do: Literal["refuse"]


class _Withdraw(_OfUse):
    do: Literal["withdraw"]


class _Erase(_Request):
    do: Literal["erase"]
    data_class: DataClass = Field(alias="class")
    role: Role
    reason: Annotated[str, Field(max_length=LONGEST_REASON)] = ""


class _Picture(_Request):
    do: Literal["picture"]
    camera: Annotated[str, Field(max_length=64)]


_REQUEST: TypeAdapter[_State | _Grant | _Ask | _Refuse | _Withdraw | _Erase | _Picture] = TypeAdapter(
    Annotated[_State | _Grant | _Ask | _Refuse | _Withdraw | _Erase | _Picture, Field(discriminator="do")]
)


class Requests:
    """Answers requests; its `answer` is the handler of a `ControlServer`.

    Args:
        desk: for consents.
        steering: for all else.
    """

    def __init__(self, desk: ConsentDesk, steering: Steering) -> None:
        self._desk = desk
        self._steering = steering

    def answer(self, request: Mapping[str, object]) -> Mapping[str, object]:
        """Carry a request out.

        Returns:
            What came of it, ``ok`` being true. After a change, ``use`` says where its use stands now and
            ``kept`` whether it is on the disk; after a withdrawal, ``erase_by`` when its data are gone at the
            latest, empty for at once.

        Raises:
            ControlError: it makes no sense.
            NevgateError: it cannot be carried out.
        """
        asked = _read(request)
        match asked:
            case _State() | _Erase() | _Picture():
                return {**self._steered(asked), "ok": True}
            case _Grant():
                granted = self._desk.grant(asked.use, term_s=asked.term_s, role=asked.role, keep=asked.keep)
                return self._changed(asked.use, plain_entry(granted))
            case _Ask():
                return self._changed(asked.use, plain_entry(self._desk.ask(asked.use, role=asked.role)))
            case _Refuse():
                return self._changed(asked.use, plain_entry(self._desk.refuse(asked.use, role=asked.role)))
            case _Withdraw():
                withdrawn = self._desk.withdraw(asked.use, role=asked.role)
                over = self._desk.over().get(withdrawn.number)
                by_ns = 0 if over is None else over.deadline_ns
                return {**self._changed(asked.use, plain_entry(withdrawn)), "erase_by": iso_time(by_ns)}

    def _steered(self, asked: _State | _Erase | _Picture) -> Mapping[str, object]:
        match asked:
            case _State():
                return self._steering.state()
            case _Erase():
                return self._steering.erase(asked.data_class, role=asked.role, reason=asked.reason)
            case _Picture():
                self._steering.picture(asked.camera)
                return {}

    def _changed(self, use: Use, entry: Mapping[str, object]) -> Mapping[str, object]:
        kept = self._desk.unkept == 0
        return {"ok": True, "entry": entry, "use": plain_use(self._desk, use), "kept": kept}


def _read(request: Mapping[str, object]) -> _State | _Grant | _Ask | _Refuse | _Withdraw | _Erase | _Picture:
    try:
        return _REQUEST.validate_python(request)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in details["loc"][1:])
        words = str(details["msg"])
        raise ControlError(
            f"the request makes no sense: {f'{place}: ' if place else ''}{words}",
            todo="See docs/consent.md for the requests that there are",
        ) from None
