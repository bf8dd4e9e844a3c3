"""The params of a run that reads a topic, checked before the first connection."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr

from include.params import BadParam, checked, refuse_unknown_params
from include.text import safe_repr

MAX_MESSAGES, MAX_REJECTED = 10_000_000, 100_000
TOPIC = r"^[A-Za-z0-9._-]{1,249}$"
_LOSS = re.compile(r"([A-Za-z0-9._-]{1,249})/([0-9]{1,9}):([0-9]{1,19})-([0-9]{1,19})")
_ALLOWED = {
    "topic": "a name of 1 to 249 letters, digits and . _ -",
    "format": "json or dashed",
    "start_from": "earliest or latest",
    "max_messages": f"a whole number from 1 to {MAX_MESSAGES}",
    "max_rejected": f"a whole number from 0 to {MAX_REJECTED}",
    "accept_loss": "empty, or ranges of the topic as topic/partition:from-to, a comma between",
    "accept_recreated": "true or false",
}


class Loss(NamedTuple):
    """Offsets that Kafka has deleted before they were read: start up to but without end."""

    partition: int
    start: int
    end: int


def _topic(name: str) -> str:
    if name in (".", ".."):
        raise ValueError("no name of a topic")
    return name


class BatchRequest(BaseModel):
    """The params, as the docs of the DAGs say."""

    model_config = ConfigDict(frozen=True)
    topic: Annotated[StrictStr, Field(pattern=TOPIC), AfterValidator(_topic)]
    format: Literal["json", "dashed"] = "json"
    start_from: Literal["earliest", "latest"] = "earliest"
    max_messages: Annotated[StrictInt, Field(ge=1, le=MAX_MESSAGES)] = 1_000_000
    max_rejected: Annotated[StrictInt, Field(ge=0, le=MAX_REJECTED)] = 1000
    accept_loss: StrictStr = Field(default="", max_length=100_000)
    accept_recreated: StrictBool = False

    @property
    def accepted(self) -> frozenset[Loss]:
        """The ranges of accept_loss."""
        return frozenset(_losses(self.topic, self.accept_loss))


def read_request(params: Mapping[str, object], default_topic: str, formats: Sequence[str]) -> BatchRequest:
    """Turn the params of a run into a request. Args: formats, that the messages of the DAG may have.

    Raises: BadParam.
    """
    refuse_unknown_params(params, list(BatchRequest.model_fields))
    given = {name: value for name, value in params.items() if value not in (None, "")}
    request = checked(BatchRequest, {"topic": default_topic, **given}, _ALLOWED)
    if request.format not in formats:
        raise BadParam("format", safe_repr(request.format), " or ".join(formats))
    _losses(request.topic, request.accept_loss)
    return request


def loss_text(topic: str, losses: Sequence[Loss]) -> str:
    """Return ranges as param accept_loss names them."""
    return ",".join(f"{topic}/{loss.partition}:{loss.start}-{loss.end}" for loss in losses)


def _losses(topic: str, text: str) -> list[Loss]:
    found = []
    for each in filter(None, (part.strip() for part in text.split(","))):
        named = _LOSS.fullmatch(each)
        loss = Loss(*map(int, named.groups()[1:])) if named else None
        if named is None or loss is None or named[1] != topic or loss.start >= loss.end:
            raise BadParam("accept_loss", safe_repr(each), _ALLOWED["accept_loss"])
        found.append(loss)
    if len({loss.partition for loss in found}) < len(found):
        raise BadParam("accept_loss", safe_repr(text), "one range a partition")
    return found
