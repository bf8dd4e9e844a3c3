"""Windows of rate limits."""

from datetime import UTC, datetime, timedelta

from include.github_stand_in.quota import ANONYMOUS, WITH_TOKEN, Holder, QuotaBook

NOON = datetime(2026, 8, 21, 12, 0, 0, 700_000, tzinfo=UTC)
TOKEN, ADDRESS = Holder("secret", has_token=True), Holder("127.0.0.1", has_token=False)


def test_github_limits_by_default():
    """Tokens get more than addresses, and searches have a count of their own."""
    book = QuotaBook(ANONYMOUS, WITH_TOKEN)
    limits = [
        book.window(holder, resource, NOON).limit
        for holder in (TOKEN, ADDRESS)
        for resource in ("core", "search")
    ]
    assert limits == [5000, 30, 60, 10]


def test_window_ends_at_its_reset():
    """The count stays until the second of the reset, and starts anew with it."""
    book = QuotaBook(ANONYMOUS, WITH_TOKEN)
    window = book.window(ADDRESS, "search", NOON)
    window.used = 10
    assert window.reset == NOON.replace(microsecond=0).timestamp() + 60
    assert book.window(ADDRESS, "search", NOON + timedelta(seconds=59)).spent
    assert not book.window(ADDRESS, "search", NOON + timedelta(seconds=60)).spent
    assert not book.window(ADDRESS, "core", NOON).spent
