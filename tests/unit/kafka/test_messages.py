"""Values of messages as typed rows; each value is a row, or rejected with a reason."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.kafka.events import USER_EVENTS, from_dashed, from_json
from include.kafka.messages import Received, Rejected
from include.kafka.sessions import USER_SESSIONS

LATEST_S = 1_800_000_000
EVENT = {
    "user_id": "u1",
    "action": "click",
    "description": "a-b",
    "event_time": "2026-08-20T05:00:00Z",
    "start_time": "05:00:00",
    "end_time": "05:00:10",
}


def message(value: bytes, key: str = "k", timestamp_ms: int = 1787202000123) -> Received:
    """A message."""
    return Received(value, key, timestamp_ms, LATEST_S)


def event(**changes: object) -> Received:
    """A message of JSON; a change to `...` removes the key."""
    fields = EVENT | changes
    return message(json.dumps({name: value for name, value in fields.items() if value is not ...}).encode())


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-08-20T05:00:00Z", 1787202000),
        ("2026-08-20 05:00+03:00", 1787191200),
        ("20260820T050000.999Z", 1787202000),
        ("2000-01-01T00:00:00Z", 946684800),
    ],
)
def test_times_of_iso_8601(text: str, seconds: int):
    """In any zone; fractions are cut."""
    assert from_json(event(event_time=text))[3] == seconds


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"event_time": "2026-08-20T05:00:00"}, "event_time has no zone"),
        ({"event_time": "20/08/2026"}, "event_time is no time of ISO 8601"),
        ({"event_time": 1787202000}, r"Expected `str`, got `int` - at `\$\.event_time`"),
        ({"event_time": "1999-12-31T23:59:59Z"}, "event_time is before 2000"),
        ({"event_time": "0001-01-01T00:00:00+23:00"}, "event_time is before 2000"),
        ({"event_time": "2027-01-15T08:00:01Z"}, "event_time is more than a day ahead"),
        ({"start_time": "5:00:00"}, "start_time is no HH:MM:SS"),
        ({"end_time": "24:00:00"}, "end_time is no HH:MM:SS"),
        ({"end_time": "05:00:10\n"}, "end_time is no HH:MM:SS"),
        ({"end_time": "\u0660\u0665:00:10"}, "end_time is no HH:MM:SS"),
        ({"action": ...}, "missing required field `action`"),
        ({"action": None}, r"\$\.action"),
        ({"user_id": 1.5}, r"\$\.user_id"),
        ({"user_id": True}, r"\$\.user_id"),
    ],
)
def test_what_is_no_event(changes: dict, reason: str):
    """With the column's name."""
    with pytest.raises(Rejected, match=reason):
        from_json(event(**changes))


def test_ids():
    """May be a number; without one, the key is the user."""
    assert from_json(event(user_id=7))[0] == "7"
    assert from_json(event(user_id=...))[0] == "k"
    assert from_json(event(user_id=None))[0] == "k"
    assert from_json(event(user_id=""))[0] == ""


def test_a_visit():
    """Its numbers are bounded by their column."""
    visit = {
        "session_id": 1,
        "user_id": 2,
        "session_start": "2026-08-20T05:00:00Z",
        "session_end": "2026-08-20T05:00:01Z",
        "path": "/",
        "click_count": 2**32 - 1,
    }
    parse = USER_SESSIONS.formats["json"]
    row = ("1", "2", 1787202000, 1787202001, "/", 2**32 - 1)
    assert parse(message(json.dumps(visit).encode())) == row
    for change in ({"click_count": 2**32}, {"click_count": -1}, {"session_id": None}, {"path": 1}):
        with pytest.raises(Rejected):
            parse(message(json.dumps(visit | change).encode()))


def test_a_message_without_a_timestamp_has_no_day():
    """Where its own text has none."""
    with pytest.raises(Rejected, match="the message has no timestamp"):
        from_dashed(message(b"A-b-05:00:00-05:00:00-05:00:10", timestamp_ms=-1))
    assert (
        from_dashed(message(b"A-b-20/08/2026 05:00:00-05:00:00-05:00:10", timestamp_ms=-1))[3] == 1787202000
    )


@given(st.binary(max_size=200) | st.text().map(lambda text: text.encode(errors="surrogatepass")))
def test_any_bytes_are_a_row_or_rejected(value: bytes):
    """By each format, and nothing else happens."""
    for row_type in (USER_EVENTS, USER_SESSIONS):
        for parse in row_type.formats.values():
            try:
                row = parse(message(value))
            except Rejected:
                continue
            assert len(row) == len(row_type.columns)


@given(
    st.dictionaries(
        st.sampled_from([*EVENT]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    )
)
def test_any_values_are_a_row_of_its_types_or_rejected(changes: dict):
    """What is taken can be written: text without half of a surrogate pair, numbers within bounds."""
    try:
        row = from_json(message(json.dumps(EVENT | changes).encode()))
    except Rejected:
        return
    for value, kind in zip(row, USER_EVENTS.columns.values(), strict=True):
        assert isinstance(value, str if kind == "String" else int)
        if isinstance(value, str):
            value.encode()
