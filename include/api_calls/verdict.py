"""The last word on a run: the outcomes are published, and either all are good or somebody has to look."""

from __future__ import annotations

from collections.abc import Mapping

from include.api_calls.errors import NotAllDone

SHOWN = ("ok", "skipped", "rejected", "failed", "unknown", "not_sent")


def judge(counts: Mapping[str, int], *, max_failed: int, stopped: str, results: str) -> None:
    """Require that no row is unknown, not more than `max_failed` have failed, and nothing stopped the run.

    Args: counts, rows by outcome; stopped, why rows were not sent, or ""; results, where the files are.
    Raises: NotAllDone, with the next step.
    """
    reasons, steps = list[str](), list[str]()
    stop, _, mended = stopped.partition(". Next: ")
    if stop:
        reasons.append(stop)
    if failed := counts["failed"] > max_failed:
        reasons.append(f"{counts['failed']} rows failed, param max_failed allows {max_failed}")
    if counts["unknown"]:
        reasons.append(f"{counts['unknown']} rows are unknown: they may have been carried out or not")
        steps.append(
            "look in the API whether the rows of outcome unknown were carried out, then trigger a run of the "
            "same file with param retry_unknown, which sends them again"
        )
    if failed:
        steps.append(
            "see column reason in results.csv, then trigger a run of todo.csv, or of the same file, with "
            "param resend = failed"
        )
    if mended:
        steps.append(mended)
    if reasons:
        told = ", ".join(f"{counts[name]} {name}" for name in SHOWN if counts[name])
        raise NotAllDone(
            f"{'; '.join(dict.fromkeys(reasons))} ({told}; files in {results})", "; ".join(steps)
        )
