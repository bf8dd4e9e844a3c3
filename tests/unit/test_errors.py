"""Errors travel between processes, are read at night, and say what to do: all classes of the project."""

import importlib
import inspect
import pickle
import pkgutil
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import attrs
import pytest

import include
import stagehouse
from include.errors import facts_of
from include.github.search.slices import Slice
from include.github.search.star_range import StarRange
from include.http.errors import AnswerError
from include.phrase_views.report_row import ReportRow

# Their texts are no words for a person on call.
SILENT = {
    "include.errors.PermanentError",  # a mark on others
    "include.http.budget.WindowClosed",  # never leaves the client
    "include.http.budget.AlreadySent",  # likewise
    "include.github.api.reading.Doubtful",  # never leaves the client, which says Doubted
    "include.github.search.slices.CannotBeCut",  # never leaves the search, which says SliceTooLarge
    "include.github_stand_in.answers.RefusedError",  # an answer of the stand-in, in GitHub's words
    "include.github_stand_in.search.QueryError",  # likewise
    "include.kafka.messages.Rejected",  # becomes the reason of a dead letter
    "include.local_stack.errors.StackError",  # raised with its whole text
    "include.local_stack.errors.Interrupted",  # by a person, with Ctrl-C
    "stagehouse.ui.archive.NotPublished",  # for the reader of a page
}
# Facts that stand in another one: the cause begins with the address and the status.
WITHIN = {"RequestFailed": {"url", "status"}, "RequestOutcomeUnknown": {"status"}}
ROW = ReportRow(1, "a phrase", 0, 5, (), datetime(2026, 8, 20, tzinfo=UTC), "UTC", "floor", "correct")


def modules() -> Iterator[ModuleType]:
    """Import all that the project runs."""
    for package in (include, stagehouse):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.endswith("__main__"):
                yield importlib.import_module(found.name)


def full_name(kind: type[Exception]) -> str:
    """Return the name with its module."""
    return f"{kind.__module__}.{kind.__qualname__}"


CLASSES = {
    full_name(kind): kind
    for module in modules()
    for kind in vars(module).values()
    if inspect.isclass(kind) and issubclass(kind, Exception) and kind.__module__ == module.__name__
}
# Those without facts and with others below them only group these.
TOLD = [
    kind
    for name, kind in sorted(CLASSES.items())
    if name not in SILENT and (attrs.has(kind) or not kind.__subclasses__())
]


def sample(kind: type[Exception]) -> Exception:
    """Return an error with another value in each field."""
    return kind(*(_value(field, place) for place, field in enumerate(attrs.fields(kind))))


def _value(field: attrs.Attribute, place: int) -> object:
    moment = datetime(2026, 8, 20 + place, tzinfo=UTC)
    values = {
        "str": f"some {field.name}",
        "int": 7000 + place,
        "int | None": 7000 + place,
        "float": 7000.0 + place,
        "date": moment.date(),
        "date | str": moment.date(),
        "datetime": moment,
        "tuple[str, ...]": (f"one {field.name}", f"two {field.name}"),
        "dict[str, str]": {f"one {field.name}": f"two {field.name}"},
        "Path": Path(f"/some/{field.name}"),
        "ReportRow": ROW._replace(campaign_id=place),
        "Slice": Slice(StarRange(1, 9)),
    }
    if field.name == "signum":
        return 15
    return values[field.type if isinstance(field.type, str) else _written(field.type)]


def _written(annotation: object) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)


def _told(value: object) -> list[str]:
    """Return what of a value a text has to hold."""
    match value:
        case datetime():
            return [f"{value:%Y-%m-%d %H:%M:%S}"]
        case float():
            return [f"{value:.0f}"]
        case dict():
            return [*value, *value.values()]
        case tuple() if not hasattr(value, "_fields"):
            return list(value)
    return [str(value)]


def test_each_silent_class_is_there():
    """A list of exceptions grows old: what is no class of ours does not stay in it."""
    assert CLASSES.keys() >= SILENT


@pytest.mark.parametrize("kind", TOLD, ids=full_name)
def test_says_what_to_do_after_the_facts(kind):
    """Once, by a verb; its facts are all in the text, and its docstring names them."""
    error = sample(kind)
    facts, *steps = str(error).split(". Next: ")
    assert len(steps) == 1
    assert re.match(r"some next_step$|[a-z]+,? \S", steps[0])
    assert facts_of(error) == facts
    for field in attrs.fields(kind):
        if field.name not in WITHIN.get(kind.__name__, ()):
            assert [told for told in _told(getattr(error, field.name)) if told not in str(error)] == []
        if "__attrs_attrs__" in vars(kind) and not field.inherited:
            assert re.search(rf"\b{field.name}\b", kind.__doc__ or "")


@pytest.mark.parametrize("kind", filter(attrs.has, CLASSES.values()), ids=full_name)
def test_survives_pickling_with_its_facts(kind):
    """Arguments, attributes, text and notes are the same on the other side."""
    error = sample(kind)
    error.add_note("a note")
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (type(copy), copy.args, str(copy), vars(copy)) == (kind, error.args, str(error), vars(error))
    assert copy.args == tuple(getattr(copy, field.name) for field in attrs.fields(kind))


@pytest.mark.parametrize("kind", [kind for kind in TOLD if issubclass(kind, AnswerError)], ids=full_name)
def test_an_answer_without_a_request_id_says_nothing_of_one(kind):
    """A proxy's answer has none."""
    assert "request id" not in str(kind("https://api.example/x", 500, "some detail"))


@pytest.mark.parametrize("kind", TOLD, ids=full_name)
def test_can_be_raised_through_what_sets_its_traceback(kind):
    """As context managers and pools of threads do."""
    with pytest.raises(kind) as caught:
        raise sample(kind).with_traceback(None) from ValueError("why")
    assert caught.value.__traceback__
