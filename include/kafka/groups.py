"""A batch in groups of partitions: each is staged by a task of its own; who ends last puts them together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from include.kafka.errors import TooManyDeadLetters
from include.kafka.messages import RowType
from include.kafka.plan import Plan
from include.kafka.session import KafkaSession
from include.kafka.staging import MAX_BYTES, MAX_SECONDS, stage_batch
from include.staging.files import StagingPath
from include.staging.manifest import Manifest, StagedBy, own_manifest, parts_are_whole, save_manifest
from include.staging.tables import TableParts

_OTHER_FACTS = ("days", "was_cut", "first_letter")  # those that are no counts


def stage_group(
    session: KafkaSession,
    plan: Plan,
    partitions: Sequence[int],
    row_type: RowType,
    directory: StagingPath,
    staged_by: StagedBy,
    *,
    host: str,
    now: Callable[[], datetime],
    max_bytes: int = MAX_BYTES,
    max_seconds: float = MAX_SECONDS,
) -> Manifest:
    """Stage the ranges of a group, unless an earlier try has; return the manifest of the group.

    The manifest of the run is written when all groups are staged.

    Args: max_bytes and max_seconds, of the run: a group has its share of them. Raises: as stage_batch().
    """
    own = directory / f"group-{partitions[0]}"
    manifest = own_manifest(own, staged_by)
    if manifest is None or not parts_are_whole(directory, manifest):
        of_group = plan.of(partitions)
        share = (1 + _offsets(of_group)) / (1 + _offsets(plan))
        batch = stage_batch(
            session,
            of_group,
            row_type,
            directory,
            max_bytes=int(max_bytes * share),
            max_seconds=max_seconds * share,
        )
        facts: dict[str, Any] = {"days": list(batch.days), "was_cut": batch.was_cut}
        facts["first_letter"] = batch.first_letter
        manifest = Manifest(
            **staged_by._asdict(),
            host=host,
            written_at=now(),
            tables={each.table.name: each for each in batch.tables},
            facts=facts | batch.counts,
            unit_name=plan.unit_name,
        )
        save_manifest(own, manifest)
    _put_together(session.where, plan, directory, staged_by)
    return manifest


def _put_together(where: str, plan: Plan, directory: StagingPath, staged_by: StagedBy) -> None:
    """Write the manifest of the run, if all groups are staged.

    Each task looks when its own group is there, so the last one finds all. Two that look at once write the
    same; where another try has staged a group anew meanwhile, it is written once more.
    """
    written = list[Manifest]()
    while True:
        found = [own_manifest(directory / f"group-{each[0]}", staged_by) for each in plan.groups]
        groups = [each for each in found if each]
        if len(groups) < len(found) or groups == written:
            return
        save_manifest(directory, _together(where, plan, groups))
        written = groups


def _together(where: str, plan: Plan, groups: Sequence[Manifest]) -> Manifest:
    facts: list[dict[str, Any]] = [each.facts for each in groups]
    counts = Counter[str]()
    for each in facts:
        counts.update({name: count for name, count in each.items() if name not in _OTHER_FACTS})
    if counts["rejected"] > plan.max_rejected:
        first = next(each["first_letter"] for each in facts if each["first_letter"])
        raise TooManyDeadLetters(where, plan.topic, counts["rejected"], plan.max_rejected, first)
    days = sorted({day for each in facts for day in each["days"]})
    was_cut = any(each["was_cut"] for each in facts)
    newest = max(groups, key=lambda each: each.written_at)
    return newest.model_copy(
        update={
            "tables": {name: _joined([each.tables[name] for each in groups]) for name in newest.tables},
            "facts": {"days": days, "was_cut": was_cut} | counts,
        }
    )


def _joined(several: Sequence[TableParts]) -> TableParts:
    """Return the parts of all groups; a key is of one of them."""
    escapes = any(each.table.escapes for each in several)
    return TableParts(
        table=several[0].table.model_copy(update={"escapes": escapes}),
        parts=tuple(part for each in several for part in each.parts),
        keys_are_unique=True,
        ranges=tuple(sorted(one for each in several for one in each.ranges)),
    )


def _offsets(plan: Plan) -> int:
    return sum(each.end - each.first for each in plan.ranges)
