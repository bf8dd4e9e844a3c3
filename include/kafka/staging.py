"""A batch as staging files: rows, dead letters, and the lines of the ledger."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from hashlib import sha256

from confluent_kafka import KafkaException, Message
from pydantic import BaseModel, ConfigDict

from include.kafka.errors import MessagesLost, TooManyDeadLetters, TopicMadeAnew
from include.kafka.ledger import OFFSETS
from include.kafka.messages import (
    AHEAD_S,
    DEAD_LETTERS,
    Rejected,
    RowType,
    dead_letter,
    received,
)
from include.kafka.plan import Plan, Range
from include.kafka.request import Loss, loss_text
from include.kafka.session import KafkaSession, offset_of
from include.staging.files import StagingPath
from include.staging.tables import KeyRange, StagedTable, TableParts
from include.staging.text_kinds import texts
from include.staging.text_parts import LONGEST_LINE, TextWriter

log = logging.getLogger(__name__)

MAX_BYTES = 4 * 2**30  # of keys and values in a batch
MAX_SECONDS = 600.0  # of reading
PART_BYTES = 64 * 2**20  # several workers may load a batch
_LARGE = LONGEST_LINE // 5  # a row may have its key twice, and each byte as two
_DAY_S = 86_400


class Batch(BaseModel):
    """What is staged.

    Attributes: tables, the ledger last; days of events, "YYYY-MM-DD"; counts of offsets by what became of
    them; was_cut: it ends before the plan does; first_letter, where and why of the first message that is no
    row, "" where each is one.
    """

    model_config = ConfigDict(frozen=True)
    tables: tuple[TableParts, ...]
    days: tuple[str, ...]
    counts: dict[str, int]
    was_cut: bool
    first_letter: str


def stage_batch(
    session: KafkaSession,
    plan: Plan,
    row_type: RowType,
    directory: StagingPath,
    *,
    max_bytes: int = MAX_BYTES,
    max_seconds: float = MAX_SECONDS,
    part_bytes: int = PART_BYTES,
) -> Batch:
    """Read the ranges of the plan, partition after partition, and stage what is in them.

    With more bytes or seconds than allowed the batch ends earlier: the ledger's lines have its ranges.

    Raises: MessagesLost, TopicMadeAnew, TooManyDeadLetters; as KafkaSession does; OSError.
    """
    _require_same_topic(session, plan)
    with ExitStack() as stack:
        rows = stack.enter_context(TextWriter(directory, row_type.staged, part_bytes=part_bytes))
        letters = stack.enter_context(TextWriter(directory, DEAD_LETTERS, part_bytes=part_bytes))
        reading = _Reading(session, plan, row_type, rows, letters)
        reading.bytes_left, reading.until = max_bytes, time.monotonic() + max_seconds
        ranges = [each for each in map(reading.read, plan.ranges) if each]
        # A topic that was made anew meanwhile was read on at the same offset, without a word.
        _require_same_topic(session, plan)
    of_batch, ids = (plan.dag_id, plan.topic, plan.epoch), (plan.cluster_id, plan.topic_id)
    with TextWriter(directory, OFFSETS) as offsets:
        lines = [[*of_batch, *each, *ids, reading.fingerprints.get(each[0], "")] for each in ranges]
        offsets.write(_lines(OFFSETS, lines))
    ranged = [KeyRange((plan.topic, plan.epoch, each[0]), each[1], each[2]) for each in ranges]
    begins = [KeyRange((plan.dag_id, *each.prefix), each.first, each.first + 1) for each in ranged]
    of_dag = [KeyRange((plan.dag_id, *each.prefix), each.first, each.end) for each in ranged]
    return Batch(
        tables=(_whole(rows.parts, ranged), _whole(letters.parts, of_dag), _whole(offsets.parts, begins)),
        days=tuple(str(datetime.fromtimestamp(each * _DAY_S, UTC).date()) for each in sorted(reading.days)),
        counts=dict(reading.counts),
        was_cut=reading.was_cut,
        first_letter=reading.first_letter,
    )


class _Reading:
    """Reads ranges into two writers, and counts what became of each offset."""

    def __init__(
        self, session: KafkaSession, plan: Plan, row_type: RowType, rows: TextWriter, letters: TextWriter
    ) -> None:
        self._session, self._plan, self._rows, self._letters = session, plan, rows, letters
        self._table, self._parse = row_type.staged, row_type.formats[plan.format]
        self._day_at = list(row_type.columns).index(row_type.event_time)
        self._latest_s = int(plan.planned_at.timestamp()) + AHEAD_S
        self.first_letter = ""
        self.counts, self.days, self.fingerprints = Counter[str](), set[int](), dict[int, str]()
        self.bytes_left, self.until, self.was_cut = 0, 0.0, False

    def read(self, planned: Range) -> tuple[int, ...] | None:
        """Read a range; return its line of the ledger from `partition` to `lost`, None of no offset."""
        if self._is_over() and self.counts and planned.first < planned.end:  # each batch takes some
            self.was_cut = True
            planned = planned.model_copy(update={"end": planned.first})  # a loss that was accepted is told
        if planned.start == planned.end:
            return None
        before, end, last = self.counts.copy(), planned.end, None
        try:
            messages = self._session.read(self._plan.topic, planned.partition, planned.first, planned.end)
            for some in messages if planned.first < planned.end else ():
                if some:
                    self._take(some)
                    last = some[-1]
                if self._is_over() and last is not None and offset_of(last) + 1 < planned.end:
                    end, self.was_cut = offset_of(last) + 1, True
                    break
        except KafkaException as error:
            raise self._lost(planned) or error from None
        self.counts["lost"] += planned.lost
        if last is not None:
            self.fingerprints[planned.partition] = _fingerprint(last)
        found = [self.counts[each] - before[each] for each in ("rows", "rejected", "tombstones")]
        hidden = end - planned.first - sum(found)
        self.counts["hidden"] += hidden
        return planned.partition, planned.start, end, *found, hidden, planned.lost

    def _take(self, some: Sequence[Message]) -> None:
        rows, letters = list[list[object]](), list[list[object]]()
        plan = self._plan
        for message in some:
            self.bytes_left -= len(message)
            if message.value() is None:
                self.counts["tombstones"] += 1
                continue
            origin = [plan.topic, plan.epoch, message.partition(), message.offset()]
            try:
                rows.append(self._row(message, origin))
            except Rejected as reason:
                letters.append([plan.dag_id, *origin, str(reason), *dead_letter(message)])
        if rows:
            self.counts["rows"] += len(rows)
            self.days.update({row[self._day_at] // _DAY_S for row in rows})  # type: ignore[operator]
            self._rows.write(_lines(self._table, rows))
        if letters:
            self._reject(letters)

    def _row(self, message: Message, origin: list[object]) -> list[object]:
        taken = received(message, self._latest_s)
        row = [*self._parse(taken), *origin, taken.key, taken.timestamp_ms, taken.timestamp_type]
        if len(message) > _LARGE and len(_lines(self._table, [row])) > LONGEST_LINE:
            raise Rejected(f"the row has more than {LONGEST_LINE} bytes")
        return row

    def _reject(self, letters: list[list[object]]) -> None:
        _, _, _, partition, offset, reason, *_ = letters[0]
        self.first_letter = self.first_letter or f"{partition}:{offset}: {reason}"
        self.counts["rejected"] += len(letters)
        if (rejected := self.counts["rejected"]) > self._plan.max_rejected:
            where, topic = self._session.where, self._plan.topic
            raise TooManyDeadLetters(where, topic, rejected, self._plan.max_rejected, self.first_letter)
        self._letters.write(_lines(DEAD_LETTERS, letters))

    def _is_over(self) -> bool:
        return self.bytes_left <= 0 or time.monotonic() > self.until

    def _lost(self, planned: Range) -> MessagesLost | None:
        """Return what was deleted while it was to be read."""
        plan, session = self._plan, self._session
        topic = session.topic(plan.topic)
        _require_same_topic(session, plan)
        low = session.marks(topic)[planned.partition].low
        if low <= planned.first:
            return None
        lost = loss_text(plan.topic, [Loss(planned.partition, planned.start, low)])
        return MessagesLost(session.where, plan.topic, lost)


def _require_same_topic(session: KafkaSession, plan: Plan) -> None:
    found = session.topic(plan.topic)
    for was, is_now in ((plan.topic_id, found.topic_id), (plan.cluster_id, found.cluster_id)):
        if was and is_now and was != is_now:
            ids = f"its id, or the cluster's, was {was} when the batch was planned, and is {is_now}"
            raise TopicMadeAnew(session.where, plan.topic, ids)


def _whole(parts: TableParts, ranges: Iterable[KeyRange]) -> TableParts:
    return parts.model_copy(update={"ranges": tuple(ranges), "keys_are_unique": True})


def _lines(table: StagedTable, rows: Sequence[Sequence[object]]) -> bytes:
    """Return rows as the lines of a part; instants are Unix seconds."""
    columns = zip(table.columns.values(), zip(*rows, strict=True), strict=True)
    written = [texts(kind, values) if kind == "String" else map(str, values) for kind, values in columns]
    return ("\n".join(map("\t".join, zip(*written, strict=True))) + "\n").encode() if rows else b""


def _fingerprint(message: Message) -> str:
    """Return a hash of a message: at the same offset of another topic there is another message."""
    facts = [str(message.offset()).encode(), str(message.timestamp()).encode()]
    facts += [message.key() or b"", message.value() or b""]
    return sha256(b"\0".join(facts)).hexdigest()[:16]
