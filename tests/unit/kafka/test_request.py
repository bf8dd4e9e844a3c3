"""Params of a run that reads a topic."""

import pytest

from include.kafka.request import BatchRequest, Loss, read_request
from include.params import BadParam

FORMATS = ("json", "dashed")


@pytest.mark.parametrize(
    ("param", "value"),
    [
        *(("topic", value) for value in (1, [], "a b", "a/b", ".", "..", "ё", "a" * 250, "a\n")),
        *(("format", value) for value in ("csv", 1, ["json"])),
        *(("start_from", value) for value in ("now", 0)),
        *(("max_messages", value) for value in (0, -1, 1.5, True, "5", 10_000_001)),
        *(("max_rejected", value) for value in (-1, 1.5, True, "5", 100_001)),
        *(
            ("accept_loss", value)
            for value in (1, "x", "t/0:5", "t/0:5-5", "t/0:6-5", "other/0:5-6", "t/0:5-6,t/0:7-8", "t/-1:5-6")
        ),
        *(("accept_recreated", value) for value in ("true", 1, "yes")),
        ("max_message", 5),
    ],
)
def test_what_is_refused(param: str, value: object):
    """By the name of the param."""
    with pytest.raises(BadParam) as refused:
        read_request({"topic": "t", param: value}, "t", FORMATS)
    assert refused.value.param == param


def test_what_is_empty_is_the_default():
    """Null and the empty text, which the form sends."""
    request = read_request({"topic": "", "accept_loss": None, "max_messages": None}, "user_events", FORMATS)
    assert request == BatchRequest(topic="user_events")


def test_ranges_that_are_accepted():
    """Several with commas."""
    request = read_request({"accept_loss": "a.b/3:5-7, a.b/4:0-9"}, "a.b", FORMATS)
    assert request.accepted == {Loss(3, 5, 7), Loss(4, 0, 9)}
