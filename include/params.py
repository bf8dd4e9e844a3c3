"""Params of a run, checked before anything is asked, written or stored."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import date
from typing import TypeVar

from attrs import define
from pydantic import BaseModel, ValidationError

from include.errors import PermanentError
from include.text import SHOWN, safe_repr

Model = TypeVar("Model", bound=BaseModel)


@define(slots=False)
class BadParam(ValueError, PermanentError):
    """A parameter of the run is not usable.

    Attributes: param; value, its repr, cut, or "not known" of a param that no DAG asks for; allowed.
    """

    param: str
    value: str
    allowed: str

    def __str__(self) -> str:
        return (
            f"param {self.param!r} is {self.value}: allowed is {self.allowed}. "
            "Next: start a new run with what is allowed"
        )


def refuse_unknown_params(params: Mapping[str, object], known: Collection[str]) -> None:
    """Raise BadParam for a param that no DAG asks for: a typing error would go unseen."""
    for name in params:
        if name not in known:
            raise BadParam(ascii(name)[1:-1][:SHOWN], "not known", f"one of {', '.join(known)}")


def checked(model: type[Model], values: Mapping[str, object], allowed: Mapping[str, str]) -> Model:
    """Return the params as a model.

    Args: values, by param; allowed, in words, of each param.
    Raises: BadParam for the first one that does not fit.
    """
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        name = str(error.errors(include_url=False, include_context=False)[0]["loc"][0])
        raise BadParam(name, safe_repr(values.get(name)), allowed[name]) from None


def read_day(value: object, run_day: date, first: date, today: date) -> date:
    """Return the day that param `day` (None or text) means: `run_day` where it is empty.

    Raises: BadParam unless it is a YYYY-MM-DD from `first` to `today`.
    """
    allowed = f"a date YYYY-MM-DD from {first} to today (UTC), or empty for the run's own day"
    if value is None or value == "":
        day = run_day
    # Not fromisoformat() alone: since Python 3.11 it takes 20260820 and 2026-W34-4 too.
    elif not isinstance(value, str) or not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise BadParam("day", safe_repr(value), allowed)
    else:
        try:
            day = date.fromisoformat(value)
        except ValueError:
            raise BadParam("day", safe_repr(value), allowed) from None
    if not first <= day <= today:
        raise BadParam("day", safe_repr(str(day)), f"{allowed}, today is {today}")
    return day
