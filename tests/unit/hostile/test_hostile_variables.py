"""Variables of Airflow, settings of the local stack, and what a URL of our pages may say."""

import json
from datetime import date
from pathlib import Path

import pytest
from airflow.sdk import Variable
from hypothesis import example, given
from hypothesis import strategies as st

from include.github.request import MAX_TOP
from include.local_stack.errors import BadSetting
from include.local_stack.settings import read_settings
from include.published_days import TABLES
from stagehouse.hooks.publication_hours import publication_hours
from stagehouse.hooks.storage_roots import MAX_ROOT, BadConnection, BadVariable, staging_root
from stagehouse.pipeline.notifications import failure_notifier
from stagehouse.ui.archive import NotPublished, read_campaign, read_day
from tests.unit.hostile.values import (
    OFTEN,
    any_text,
    anything,
    assert_names,
    assert_short,
    damaged,
    json_text,
)

NOTIFIER = {"class": "airflow.providers.smtp.notifications.smtp.SmtpNotifier", "kwargs": {"to": "a@b"}}
HOURS = {"github_top_repositories": 6, "phrase_views_report": 7}
urls = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(
            ["", "file://", "s3://", "s3a://", "gs://", "foo://", "http://", "https://", "/", "//", "://"]
        ),
        st.sampled_from(
            ["", "bucket", "user:secret@bucket", "no_such_connection@b", "[::1", "host:x", "h:99999", "a..b"]
        ),
        st.sampled_from(["", "/"]) | any_text,
    ),
)
ENVIRON = {
    "GITHUB_API": "http://127.0.0.1:8000/api/v3", "GITHUB_TOKEN": "t", "RPS": "5", "CONCURRENCY": "2",
    "TOP": "10", "DAY": "2026-08-20",
}  # fmt: skip


@pytest.fixture
def variable(monkeypatch: pytest.MonkeyPatch):
    """A function that gives every variable of Airflow this value, as its database would."""

    def set_to(text: str) -> None:
        monkeypatch.setattr(Variable, "get", lambda *_, **__: text)

    return set_to


@OFTEN
@given(text=urls | any_text)
@example("s3://[bucket/prefix")
@example("/" + "a" * 10_000)
@example("/staging\0")
def test_a_root(variable, text):
    """A path or a store, or the variable is named; what may be a secret is not shown."""
    variable(text)
    try:
        root = staging_root()
    except (BadVariable, BadConnection) as refusal:
        assert_names(refusal, "variable 'staging_root': ", "connection 'no_such_connection', ")
        assert "secret" not in str(refusal)  # noqa: PT017
    else:
        assert str(root).isprintable()
        assert 0 < len(str(root)) <= MAX_ROOT + 2


@OFTEN
@given(text=any_text | (anything | damaged(HOURS)).map(json_text))
def test_the_hours_of_publication(variable, text):
    """Whole hours of DAGs that publish, or the variable is named."""
    variable(text)
    try:
        hours = publication_hours()
    except BadVariable as refusal:
        assert_names(refusal, "variable 'published_by_hour': ")
    else:
        assert hours.keys() <= TABLES.keys()
        assert all(type(hour) is int and 0 <= hour <= 23 for hour in hours.values())


@OFTEN
@given(text=any_text | (anything | damaged(NOTIFIER)).map(json_text))
@example(json.dumps({"class": "os.path.join"}))
@example(json.dumps({"class": "no." * 3000 + "where"}))
@example(json.dumps(NOTIFIER | {"kwargs": {"\x1b\n": 1}}))
def test_the_notifier_of_failures(variable, text):
    """A notifier, none, or the variable is named."""
    variable(text)
    try:
        notifier = failure_notifier()
    except BadVariable as refusal:
        assert_names(refusal, "variable 'failure_notifier': ")
    else:
        assert notifier is None or type(notifier).__name__ == "SmtpNotifier"


@OFTEN
@given(damaged(ENVIRON, any_text | urls))
@example({"GITHUB_API": "http://[::1"})
@example({"GITHUB_API": "http://127.0.0.1:x"})
@example({"GITHUB_DATA": "a" * 10_000})
@example({"GITHUB_DATA": "\0"})
@example({"RPS": "0.000001"})
@example({"TOP": "1001"})
@example({"TOP": "100000"})
@example({"TOP": "100001"})
def test_settings_of_the_local_stack(tmp_path_factory, environ):
    """Numbers that the connection takes and an address that can be asked, or the setting is named."""
    root = Path("/")
    try:
        settings = read_settings(environ, root, state=root, dags=root)
    except BadSetting as refusal:
        assert_names(refusal, *(f"{name}=" for name in environ))
        return
    assert 0.01 <= settings.requests_per_second <= 1000
    assert 1 <= settings.max_concurrent_requests <= 100
    assert settings.top is None or 1 <= settings.top <= MAX_TOP
    assert settings.github_api is None or settings.github_api.isascii()


@OFTEN
@given(any_text | st.text("0123456789-\u0663\n", max_size=11))
def test_a_day_and_a_campaign_of_a_url(text):
    """What is taken is written as it was and fits its column; else there is no such page."""
    for read in (read_day, read_campaign):
        try:
            found = read(text)
        except NotPublished as refusal:
            assert_short(refusal)
            continue
        assert str(found) == text
        assert isinstance(found, date) or found < 2**31
