"""Faults while a report is published: of all campaigns, or of some beside the rows of the others."""

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from itertools import product

import pytest

from include.clickhouse.errors import DayMismatch, OutcomeUnknown
from include.phrase_views.report import PublishedReport, check_report, compute_report, publication
from include.postgres.errors import LeaseLost
from tests.faults.proxy import AFTER, ANSWERED, BEFORE, INSIDE, Moment, Proxy
from tests.faults.report_day import BOTH_NEW, FIRST_NEW, OLD, Publisher, ReportDay, publish
from tests.integration.phrase_views.days import DAY, ask, staging_tables
from tests.servers.clickhouse import ClickHouseServer

ALL, FIRST = (), (1,)  # the campaigns asked for
EXPECTED = {ALL: BOTH_NEW, FIRST: FIRST_NEW}
STAGED = b"INSERT INTO `phrases_views_by_hour__stg_"
COMPUTE = {
    "drop": b"DROP TABLE IF EXISTS",
    "create": b"CREATE TABLE",
    "insert": STAGED,
    "proof": b"SELECT campaign",
}
PUBLISH = {
    "rows to keep": (b"uniqExact", 2),
    "gather the computed": (STAGED, 1),
    "gather the others": (STAGED, 2),
    "optimize": (b"OPTIMIZE TABLE", 1),
    "proof": (b"uniqExact", 5),
    "loads": (b"INSERT INTO `loads`", 1),
    "old parts": (b"system.parts", 1),
    "drop staging": (b"DROP TABLE IF EXISTS", 3),
}
KILLED = {
    "while rows are gathered": (FIRST, STAGED, ANSWERED),
    "before the day": (FIRST, b"REPLACE PARTITION", BEFORE),
    "after the day, before loads": (FIRST, b"REPLACE PARTITION", ANSWERED),
    "after the day, before loads, all": (ALL, b"REPLACE PARTITION", ANSWERED),
    "after loads": (FIRST, b"INSERT INTO `loads`", ANSWERED),
}
TAMPERED = {
    "a row more": "INSERT INTO phrases_views_by_hour (date, campaign_id, phrase, hour, views) "
    f"SELECT toDate('{DAY}'), 2, 'b', 9, 1",
    "no row": f"ALTER TABLE phrases_views_by_hour DROP PARTITION '{DAY}'",
    "loads": "INSERT INTO loads SELECT `table`, date, rows + 1, checksum, run_id, published_at + 1 "
    f"FROM loads WHERE date = '{DAY}'",
}


@pytest.fixture
def day(clickhouse_server: ClickHouseServer, clickhouse_database: str) -> ReportDay:
    """A day that is published, and for which counters came in since."""
    return ReportDay(clickhouse_server, clickhouse_database)


@pytest.mark.parametrize("point", COMPUTE)
def test_a_report_is_cut(day: ReportDay, proxy: Proxy, point: str):
    """The outcome is unknown and nothing is in sight; the next try computes into a table of its own."""
    cut = proxy.reset_at(COMPUTE[point], ANSWERED)
    with day.watched(), day.connect(proxy.port) as clickhouse:
        with pytest.raises(OutcomeUnknown, match="connection 'clickhouse_default'"):
            compute_report(clickhouse, ask(), "new run", "cut")
        assert cut.is_reached
        day.require_old()
        day.publish(day.compute())
    day.require(BOTH_NEW)


@pytest.mark.parametrize("moment", [BEFORE, INSIDE, AFTER, ANSWERED])
@pytest.mark.parametrize("campaigns", [ALL, FIRST])
def test_a_lost_answer_to_the_replaced_day_is_settled(
    day: ReportDay, proxy: Proxy, campaigns, moment: Moment
):
    """Publishing asks the server again until it knows; no second try is needed."""
    computed = day.compute(*campaigns)
    cut = proxy.reset_at(b"REPLACE PARTITION", moment)
    with day.watched(), day.connect(proxy.port) as clickhouse:
        published = publish(clickhouse, computed, campaigns)
        assert cut.is_reached
        check_report(clickhouse, ask(*campaigns), published, "new run")
    day.require(EXPECTED[campaigns])


@pytest.mark.parametrize("campaigns", [ALL, FIRST])
def test_a_lost_answer_is_not_settled_without_the_lease_of_a_report(day: ReportDay, proxy: Proxy, campaigns):
    """The connection and the lease go together: the change is not sent again, another may have published."""
    computed = day.compute(*campaigns)
    cut = proxy.reset_at(b"REPLACE PARTITION", BEFORE)

    def check_lease() -> None:
        if cut.is_reached:
            raise LeaseLost("publish")

    with day.watched(), day.connect(proxy.port) as clickhouse:
        with pytest.raises(LeaseLost):
            publish(clickhouse, computed, campaigns, check_lease=check_lease)
        day.require_old()
        day.publish(computed, *campaigns)
    day.require(EXPECTED[campaigns])


@pytest.mark.parametrize("asked", [(999,), FIRST])
def test_lost_rows_of_other_campaigns_are_never_taken_for_what_this_run_left(day: ReportDay, asked):
    """Also where what is left happens to be what this run has computed: `loads` says what there should be."""
    with day.connect() as clickhouse:
        clickhouse.execute(f"ALTER TABLE phrases_views_by_hour DROP PARTITION '{DAY}'")
        computed = compute_report(clickhouse, ask(*asked), "new run", "report")
        if computed.rows:
            columns = "date, campaign_id, phrase, hour, views, flags, hour_start, time_zone, hour_rule, falls"
            lost = f"INSERT INTO phrases_views_by_hour ({columns}) SELECT {columns} FROM"
            clickhouse.execute(f"{lost} {computed.staging_table}")
        for _ in range(2):  # the second try finds what the first has staged
            with pytest.raises(DayMismatch, match="Next: report the day once for all campaigns"):
                publish(clickhouse, computed, asked)
    day.publish(day.compute())
    day.require(BOTH_NEW)


def test_a_lost_answer_to_the_emptied_day_is_settled(day: ReportDay, proxy: Proxy):
    """A report without rows drops the day, as often as it must be told to."""
    with day.connect() as straight:
        straight.execute("TRUNCATE TABLE phrases_views")
    computed = day.compute()
    cut = proxy.reset_at(b"DROP PARTITION", ANSWERED)
    with day.watched(), day.connect(proxy.port) as clickhouse:
        assert publish(clickhouse, computed) == PublishedReport(rows=0, checksum=0, falls="correct")
        assert cut.is_reached
    day.require({})


@pytest.mark.parametrize(("point", "moment"), [*product(PUBLISH, [ANSWERED]), ("loads", BEFORE)])
def test_the_publication_of_a_report_is_cut(day: ReportDay, proxy: Proxy, point: str, moment: Moment):
    """Readers see the old day or the new one; the next try of publish alone is exact."""
    text, nth = PUBLISH[point]
    computed = day.compute(*FIRST)
    cut = proxy.reset_at(text, moment, nth)
    with day.watched(), day.connect(proxy.port) as clickhouse:
        with nullcontext() if point == "drop staging" else pytest.raises(OutcomeUnknown):
            publish(clickhouse, computed, FIRST)
        assert cut.is_reached
        day.publish(computed, *FIRST)
    day.require(FIRST_NEW)


@pytest.mark.parametrize("point", KILLED)
def test_the_publisher_of_a_report_is_killed(day: ReportDay, proxy: Proxy, point: str):
    """The next try of publish alone is exact: it knows rows that its own run left, though not recorded."""
    campaigns, text, moment = KILLED[point]
    computed = day.compute(*campaigns)
    stop = proxy.stop_at(text, moment)
    with day.watched(), Publisher(day, computed, *campaigns, port=proxy.port) as task:
        stop.wait()
        task.kill()
        stop.reset()
        day.publish(computed, *campaigns)
    day.require(EXPECTED[campaigns])


def test_another_run_takes_no_rows_over_from_a_killed_publisher(day: ReportDay, proxy: Proxy):
    """Nothing says that they are right: it names the way out, and a report of all campaigns is that."""
    stop = proxy.stop_at(b"REPLACE PARTITION", ANSWERED)
    with Publisher(day, day.compute(*FIRST), *FIRST, port=proxy.port) as task:
        stop.wait()
        task.kill()
        stop.reset()
    other = day.compute(2, run_id="other run")
    with pytest.raises(DayMismatch, match="Next: report the day once for all campaigns"):
        day.publish(other, 2, run_id="other run")
    day.publish(day.compute(run_id="whole run"), run_id="whole run")
    day.publish(day.compute(*FIRST), *FIRST)  # the killed one, cleared: finds the day as it would be
    day.publish(other, 2, run_id="other run")
    day.require(BOTH_NEW, by="whole run")


@pytest.mark.parametrize("tampered", TAMPERED)
def test_a_day_that_is_not_as_recorded_is_refused_in_part_and_healed_whole(day: ReportDay, tampered: str):
    """Rows of other campaigns are not taken over from it, no page is made of it."""
    with day.connect() as clickhouse:
        clickhouse.execute(TAMPERED[tampered])
        before = day.rows(clickhouse)
        with pytest.raises(DayMismatch, match="rows of other campaigns cannot be taken over"):
            day.publish(day.compute(*FIRST, run_id="part"), *FIRST, run_id="part")
        with pytest.raises(DayMismatch, match="Next: clear task report with all after it"):
            publication(clickhouse, DAY)
        assert day.rows(clickhouse) == before
        day.publish(day.compute())
        clickhouse.execute(f"DROP TABLE {staging_tables(clickhouse)[0]}")  # of the run that was refused
    day.require(BOTH_NEW)


@pytest.mark.parametrize("campaigns", [ALL, FIRST])
def test_a_computed_report_that_lost_its_rows_never_empties_the_day(day: ReportDay, campaigns):
    """It is counted and summed first; the error names the task to clear."""
    computed = day.compute(*campaigns)
    with day.watched(), day.connect() as clickhouse:
        clickhouse.execute(f"TRUNCATE TABLE {computed.staging_table}")
        with pytest.raises(DayMismatch, match=r"rows=0 .* Next: clear task report with all after it"):
            publish(clickhouse, computed, campaigns)
        day.require_old()
        day.publish(day.compute(*campaigns, attempt="2"), *campaigns)
    day.require(EXPECTED[campaigns])


def test_old_rows_that_come_back_while_a_report_is_published_are_found(day: ReportDay, proxy: Proxy):
    """As after a restart of the server: red before its staging goes; the next try mends the day."""
    computed = day.compute()
    stop = proxy.stop_at(b"system.parts")
    with Publisher(day, computed, port=proxy.port) as task:
        stop.wait()
        with day.connect() as clickhouse:
            clickhouse.execute(TAMPERED["a row more"])
        stop.release()
        assert "Next: clear task report with all after it" in task.error()
    day.publish(computed)
    day.require(BOTH_NEW)


@pytest.mark.parametrize("text", [b"REPLACE PARTITION", b"INSERT INTO `loads`"])
def test_two_tries_of_a_report_are_published_at_once(day: ReportDay, proxy: Proxy, text: bytes):
    """Without a lease: the first stands still while the second ends; it finds its staging gone or its day."""
    computed = day.compute(*FIRST)
    stop = proxy.stop_at(text)
    with day.watched(), Publisher(day, computed, *FIRST, port=proxy.port) as first:
        stop.wait()
        day.publish(computed, *FIRST)
        stop.release()
        if text == b"REPLACE PARTITION":
            assert "__stg_" in first.error()
        else:
            first.result()
    day.require(FIRST_NEW)


@pytest.mark.parametrize(("one", "other"), [(ALL, FIRST), (FIRST, (2,))])
def test_two_reports_of_one_day_take_turns(
    day: ReportDay, proxy: Proxy, postgres: Proxy, dsn: Callable, one, other
):
    """The second is told who publishes; when the first is done, it takes over what that one published.

    Where nothing changes any more, the day stays the first one's in `loads`.
    """
    first, second = day.compute(*one, run_id="one"), day.compute(*other, run_id="other")
    stop = proxy.stop_at(b"REPLACE PARTITION")
    publisher = partial(Publisher, day, postgres=dsn(postgres))
    with publisher(first, *one, run_id="one", port=proxy.port) as task:
        stop.wait()
        with publisher(second, *other, run_id="other") as refused:
            told = f"lease 'publish phrases_views_by_hour {DAY}' is held by 'publish of one'. Next: try again"
            assert told in refused.error()
        stop.release()
        task.result()
    with publisher(second, *other, run_id="other") as again:
        again.result()
    day.require(BOTH_NEW, by="one" if one == ALL else "other")


def test_a_publisher_of_some_campaigns_that_lost_its_lease_is_found_out(
    day: ReportDay, proxy: Proxy, postgres: Proxy, dsn: Callable
):
    """Its last statement brings old rows of others back: no page is made of them, and check is red."""
    publisher = partial(Publisher, day, postgres=dsn(postgres))
    part, whole = day.compute(*FIRST, run_id="part"), day.compute()
    stop = proxy.stop_at(b"REPLACE PARTITION")
    with publisher(part, *FIRST, run_id="part", port=proxy.port) as zombie:
        stop.wait()
        postgres.reset_all()
        with publisher(whole) as next_one:
            published = PublishedReport.model_validate(next_one.result())
        stop.release()
        assert "is lost, its connection to PostgreSQL ended" in zombie.error()
    with day.connect() as clickhouse:
        assert day.rows(clickhouse)[2] == OLD
        with pytest.raises(DayMismatch, match="Next: clear task report with all after it"):
            publication(clickhouse, DAY)
        with pytest.raises(DayMismatch, match="Next: clear task report with all after it"):
            check_report(clickhouse, ask(), published, "new run")
        day.publish(day.compute(attempt="2"))
        for table in staging_tables(clickhouse):  # of the zombie; by age, or when its run is tried again
            clickhouse.execute(f"DROP TABLE {table}")
    day.require(BOTH_NEW)
