"""What an answer means: each line of a table, then anything at all."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.github.api import answer_errors
from include.github.api.rate_limits import read_limit, read_quota
from include.github.api.responses import read_value
from include.http.answers import Answer, Redirect
from include.http.errors import AnswerError, Transient
from include.http.limits import Limited, Quota

NOW = datetime(2026, 8, 20, 12, 0, 0, tzinfo=UTC)
DATE = "Thu, 20 Aug 2026 12:00:00 GMT"
EPOCH = int(NOW.timestamp())
URL = "https://api.github.com/repos/o/n/commits"


def answer(status, body=b"", /, **headers):
    """Make an answer; `_` in a header name is `-`, a body that is no bytes is JSON."""
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(URL, status, {name.replace("_", "-"): str(value) for name, value in headers.items()}, body)


def limit(*args, **headers):
    """Ask whether such an answer is a limit."""
    return read_limit(answer(*args, **headers), "core", NOW)


SECONDARY = {"message": "You have exceeded a secondary rate limit. Please wait a few minutes."}
PRIMARY = {"message": "API rate limit exceeded for user ID 1."}


@pytest.mark.parametrize("status", [403, 429, 503])
def test_retry_after_comes_first(status):
    """Seconds to wait are obeyed whatever the status and the rest say, by everybody."""
    limited = limit(status, PRIMARY, retry_after="7", x_ratelimit_remaining=0, x_ratelimit_reset=EPOCH + 99)
    assert (limited.resource, limited.wait_s) == ("all", 7.0)


@pytest.mark.parametrize("value", ["0", "", "soon", "-5", "1e3", "7" * 30, "Thu, 20 Aug 2026 11:00:00 GMT"])
def test_retry_after_that_names_no_time(value):
    """0, nonsense and the past mean "no time named", as octokit has it."""
    assert limit(429, SECONDARY, retry_after=value, date=DATE).wait_s is None


def test_retry_after_as_a_date_is_by_the_server_s_clock():
    """A date is compared with the answer's own Date header, not with our clock."""
    later = "Thu, 20 Aug 2026 15:00:30 GMT"
    assert limit(503, b"", retry_after=later, date="Thu, 20 Aug 2026 15:00:00 GMT").wait_s == 30.0


@pytest.mark.parametrize("status", [403, 429])
@pytest.mark.parametrize(
    "body",
    [
        SECONDARY,
        {"message": "You have triggered an abuse detection mechanism. Please retry your request later."},
        b"<html>secondary rate limit</html>",
    ],
)
def test_secondary_limit_without_retry_after(status, body):
    """Known by its words, although requests remain; no time is named; all workers stop."""
    limited = limit(status, body, x_ratelimit_remaining=14, x_ratelimit_resource="search")
    assert (limited.resource, limited.wait_s) == ("all", None)


@pytest.mark.parametrize("status", [403, 429])
@pytest.mark.parametrize("resource", ["core", "search"])
def test_primary_limit(status, resource):
    """Wait to the reset by the server's Date, plus a second, for that resource alone."""
    limited = limit(
        status,
        PRIMARY,
        x_ratelimit_remaining=0,
        x_ratelimit_reset=EPOCH + 1000,
        x_ratelimit_resource=resource,
        date="Thu, 20 Aug 2026 12:10:00 GMT",
    )
    assert (limited.resource, limited.wait_s) == (resource, 401.0)


def test_primary_limit_without_date_uses_our_clock():
    """A server without Date leaves only our own clock."""
    assert limit(403, PRIMARY, x_ratelimit_remaining=0, x_ratelimit_reset=EPOCH + 9).wait_s == 10.0


def test_a_reset_in_the_past_or_beyond_reason_is_bounded():
    """At least a second, at most a week: a broken header neither floods nor stops us for ever."""
    assert limit(403, PRIMARY, x_ratelimit_remaining=0, x_ratelimit_reset=5).wait_s == 1.0
    assert limit(403, PRIMARY, x_ratelimit_remaining=0, x_ratelimit_reset=10**17).wait_s == 7 * 86_400


def test_429_alone_is_a_limit_and_403_alone_is_not():
    """A bare 429 is waited for; a bare 403 is a matter of rights."""
    assert limit(429, b"") == Limited("all", None, "429 body ''")
    assert limit(403, {"message": "Resource not accessible by personal access token"}) is None


@pytest.mark.parametrize("headers", [{}, {"x_ratelimit_remaining": 14}])
def test_a_limit_without_its_headers_is_known_by_its_words(headers):
    """A proxy on the way has taken them away: all wait, and no repository counts as forbidden."""
    limited = limit(403, {"message": "API rate limit exceeded for 1.2.3.4."}, **headers)
    assert (limited.resource, limited.wait_s) == ("all", None)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, {"message": "Bad credentials"}, answer_errors.Unauthorized),
        (403, {"message": "Resource not accessible"}, answer_errors.Forbidden),
        (403, {"message": "Repository access blocked", "block": {"reason": "tos"}}, answer_errors.Blocked),
        (404, {"message": "Not Found"}, answer_errors.NotFound),
        (409, {"message": "Git Repository is empty."}, answer_errors.Empty),
        (409, {"message": "Git Repository is empty. "}, Transient),
        (409, {"message": "conflict"}, Transient),
        (422, {"message": "Only the first 1000 search results are available"}, answer_errors.Invalid),
        (451, {"message": "Repository access blocked", "block": {"reason": "dmca"}}, answer_errors.Blocked),
        (500, b"", Transient),
        (502, b"<h1>502 Bad Gateway</h1>", Transient),
        (503, b"<html>Unicorn!</html>", Transient),
        (204, b"", Transient),
        (408, b"", Transient),
        (301, b"", Transient),
        (304, b"", Transient),
        (400, {"message": "unknown version"}, answer_errors.Unexpected),
        (200, b"", Transient),
        (200, b"null", Transient),
        (200, b"<html>", Transient),
        (200, b'[{"sha": "a', Transient),
        (200, b"\xff\xfe\xfd", Transient),
        (200, b"[" * 100_000, Transient),
        (200, b"1" * 5000, Transient),
    ],
)
def test_status_table(status, body, kind):
    """Each status and body has its own error."""
    with pytest.raises(AnswerError) as error:
        read_value(answer(status, body))
    assert type(error.value) is kind
    assert error.value.status == status


def test_an_error_quotes_the_answer_but_no_secret():
    """URL, status, what GitHub says, its request id; 200 bytes of a strange body; never the token."""
    page = b"<h1>502</h1> Authorization: Bearer ghp_abcdefgh " + b"x" * 9000
    with pytest.raises(Transient) as error:
        read_value(Answer(URL, 502, {"x-github-request-id": "AB:12"}, page, ("ghp_abcdefgh",)))
    text = str(error.value)
    assert text.startswith(f"{URL}: 502")
    assert "AB:12" in text
    assert "<h1>502</h1> Authorization: Bearer ***" in text
    assert len(text) < 450


def test_an_address_shows_no_secret_either():
    """The server's redirect may have put it there."""
    echoed = Answer(f"{URL}?token=ghp_abcdefgh", 404, {}, b"", ("ghp_abcdefgh",))
    with pytest.raises(answer_errors.NotFound) as error:
        read_value(echoed)
    assert "ghp_" not in f"{error.value} {error.value!r}"


@pytest.mark.parametrize("before", range(180, 210, 5))
def test_no_part_of_a_secret_is_left_where_the_text_is_cut(before):
    """A token across the cut is hidden whole: the start of it would not be recognised any more."""
    page = b"x" * before + b" ghp_abcdefgh " + b"y" * 500
    with pytest.raises(Transient) as error:
        read_value(Answer(URL, 502, {}, page, ("ghp_abcdefgh",)))
    assert "ghp" not in str(error.value)


def test_a_422_prints_its_errors():
    """The list under `errors` says which part of the query is wrong."""
    body = {"message": "Validation Failed", "errors": [{"code": "invalid", "field": "q"}]}
    with pytest.raises(answer_errors.Invalid, match="'field': 'q'"):
        read_value(answer(422, body))


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects(status):
    """The Location header, else the url of the body, says where to."""
    assert read_value(answer(status, b"", location="/repositories/1")) == Redirect("/repositories/1", status)
    named = read_value(answer(status, {"url": "https://api.github.com/r"}))
    assert named == Redirect("https://api.github.com/r", status)


def test_quota():
    """What is left, and in how many seconds it is full again by the server's clock."""
    headers = {"x-ratelimit-remaining": "59", "x-ratelimit-reset": str(EPOCH + 60), "date": DATE}
    assert read_quota(headers, NOW) == Quota(59, 61.0)
    assert read_quota({"x-ratelimit-remaining": "many"}, NOW) is None
    assert read_quota({}, NOW) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            "retry-after",
            "date",
            "x-ratelimit-remaining",
            "x-ratelimit-reset",
            "x-ratelimit-resource",
            "location",
        ]
    ),
    st.text(max_size=20) | st.integers(-9, 2**70).map(str),
)


@given(st.integers(100, 599), st.binary(max_size=50) | JSON.map(json.dumps).map(str.encode), HEADERS)
def test_any_answer_is_a_value_a_limit_or_a_named_error(status, body, headers):
    """No bytes and no headers raise anything but an AnswerError, and waits are bounded."""
    any_answer = Answer(URL, status, headers, body)
    limited = read_limit(any_answer, "core", NOW)
    if limited:
        assert limited.wait_s is None or 1 <= limited.wait_s <= 7 * 86_400
        return
    try:
        value = read_value(any_answer)
    except AnswerError as error:
        assert str(error).startswith(URL)  # noqa: PT017
        assert str(error).isprintable()  # noqa: PT017
    else:
        assert value is not None
