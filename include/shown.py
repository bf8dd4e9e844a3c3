"""How a value from outside is shown in an error: on one line, cut, whatever it is."""

from __future__ import annotations

import reprlib

from pydantic import ValidationError

SHOWN = 80  # characters

# Python's own repr() ends in a RecursionError where lists are nested deep enough, and writes megabytes first.
_REPR = reprlib.Repr()
_REPR.maxlevel = _REPR.maxlist = _REPR.maxtuple = _REPR.maxdict = _REPR.maxset = SHOWN
_REPR.maxstring = _REPR.maxlong = _REPR.maxother = 2 * SHOWN


def shown(value: object) -> str:
    """Return a value for an error: on one line, cut."""
    try:
        text = ascii(value[: SHOWN + 1]) if isinstance(value, str) else _REPR.repr(value)
    except ValueError:  # a number of more than 4,300 digits
        text = f"a {type(value).__name__} too long to show"
    return text if len(text) <= SHOWN else text[:SHOWN] + "... (cut)"


def first_problem(error: ValidationError) -> str:
    """Return the first thing that pydantic found: the field, what is wrong with it, and the value."""
    problem = error.errors(include_url=False, include_context=False)[0]
    # A name of a field may be from outside too: the key of an object.
    names = (ascii(name)[1:-1][:SHOWN] if isinstance(name, str) else str(name) for name in problem["loc"])
    field = ".".join(names)
    said = f"{problem['msg']}, got {shown(problem['input'])}"
    return f"{field}: {said}" if field else said
