"""The plan of a run: rows to send, and whether there is time; its first requests, shown and not sent."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from pydantic import BaseModel, ConfigDict

from include.api_calls.earlier import Earlier
from include.api_calls.errors import TooLong
from include.api_calls.marks import Taken
from include.api_calls.outcomes import Outcomes
from include.api_calls.request import CallsRequest
from include.api_calls.rules import CallRules
from include.api_calls.sender import request_of
from include.api_calls.settling import Run, settle
from include.api_calls.staging import StagedFile
from include.clickhouse.client import ClickHouse
from include.http.pacing import GUARD
from include.http.tokens import Token
from include.staging.files import StagingPath

MOST_HOURS = 22.0  # the run itself ends after 23
SHOWN = 5  # requests of a dry run
_HIDDEN = "***"
_SHOWN_BODY = 2_000

log = logging.getLogger(__name__)


class Plan(BaseModel):
    """The rest of a run's work.

    Attributes: rows, of the file; by outcome, rows that have one already or are not sent; calls, rows to be
    sent; seconds, that they take at least.
    """

    model_config = ConfigDict(frozen=True)
    rows: int
    outcomes: dict[str, int]
    calls: int
    seconds: int


def plan_calls(
    staged: StagedFile,
    request: CallsRequest,
    directory: StagingPath,
    clickhouse: ClickHouse,
    *,
    run_id: str,
    requests_per_second: float,
    now: datetime,
) -> Plan:
    """Say what the run has to send, in the log too. Raises: TooLong."""
    outcomes = Outcomes(directory, staged.rows)
    run = Run(staged, request, salt_of(request, run_id), outcomes, None, lambda: now)
    with Earlier(clickhouse, staged, run_id, nothing=request.resend == "all") as earlier:
        calls, _ = settle(run, earlier, Taken(0, (), 0, None))
    plan = Plan(
        rows=staged.rows,
        outcomes={name: count for name, count in outcomes.counts.items() if count},
        calls=calls,
        seconds=round(calls * GUARD / requests_per_second),
    )
    log.info(
        "%d rows, %s; %d calls, %.2f hours at %g requests a second",
        plan.rows,
        ", ".join(f"{count} {name}" for name, count in plan.outcomes.items()) or "none done",
        plan.calls,
        plan.seconds / 3600,
        requests_per_second,
    )
    if plan.seconds > MOST_HOURS * 3600:
        raise TooLong(plan.calls, plan.seconds / 3600, MOST_HOURS)
    return plan


def salt_of(request: CallsRequest, run_id: str) -> str:
    """Return what keeps the keys of a run apart that is to send all rows again; else nothing."""
    return run_id if request.resend == "all" else ""


def first_requests(
    staged: StagedFile, request: CallsRequest, rules: CallRules, base_url: str, *, run_id: str, secret: bool
) -> Iterator[str]:
    """Yield the first requests as they would be sent, in words, with the secret hidden.

    Args: secret, whether the connection has one.
    """
    maker, token = staged.maker(salt_of(request, run_id)), Token(_HIDDEN if secret else "")
    for row in islice((row for row in staged if not row.problem), SHOWN):
        ((call, key),) = maker.calls([row.row], [row.cells])
        sent = request_of(staged.recipe, base_url, call, key)
        url = str(rules.addressed(sent.url, token)).replace("%2A%2A%2A", _HIDDEN)
        headers = {**rules.headers, **sent.headers, **rules.credentials(token)}
        lines = [f"row {row.row}, line {row.line}: {call.method} {url}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines += [call.body.decode()[:_SHOWN_BODY]] if call.body is not None else []
        yield "\n".join(lines)
