"""A reports_root as renderers leave it: days of views, repositories, shop and events, runs of calls."""

import json
from datetime import date
from pathlib import Path

from include.pages.run_note import write_run_note
from include.staging.files import run_folder

RUN = "manual__2026-11-20T00:15:00+00:00"
DAYS = ("2026-11-18", "2026-11-19", "2026-11-20")
CAMPAIGNS = (1111111, 2222222)
UNFINISHED = "2026-11-21"
CALLS_RUN, CALLED_ON = "manual__2026-11-20T08:00:00+00:00", "2026-11-20"
CALLED = run_folder(CALLS_RUN)
RESULTS_CSV = "id,outcome,status,reason,requests\n007,failed,404,no such user,1\n"
SHOP_RUN, SHOP_CSV = "scheduled__shop", "date,sales,quantity,revenue\n2026-11-20,1,1,9.99\n"
EVENTS_RUN, EVENTS_CSV = "scheduled__events", "hour,events,users\n2026-11-20 05:00,1,1\n"
TSV = "phrase\tviews_by_hour\nплатье\t[(15, 4), (14, 6), (13, 4), (12, 1)]\n"  # noqa: RUF001
CSV = "date,campaign_id,phrase,hour,views,flags\n2026-11-20,1111111,платье,12,1,\n"
RANKING_CSV = "date,position,repo,stars\n2026-11-20,1,octo/repo,9\n"
HTML = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>h1 {{ color: rgb(1, 2, 3) }}</style></head><body><h1>{title}</h1><p id="said"></p>
<script>document.getElementById("said").textContent = "the script ran";</script></body></html>"""


def write_reports(root: Path) -> Path:
    """Write them below `root` and return it."""
    for number, day in enumerate(DAYS):
        write_phrase_views(root, day, f"{RUN[:-1]}{number}", CAMPAIGNS)
    for day in DAYS[1:]:
        write_ranking(root, day, f"ranked__{day}T00:30:00+00:00")
    (root / "phrase_views" / UNFINISHED).mkdir()
    write_calls(root, CALLED_ON, CALLS_RUN, ok=2, failed=1)
    write_shop(root, DAYS[-1])
    write_topic(root, "user_events", DAYS[-1])
    return root


def write_phrase_views(root: Path, day: str, run_id: str, campaigns: tuple[object, ...]) -> None:
    """Write one day of phrase views; its index says what it is told."""
    directory = root / "phrase_views" / day
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "rows.csv").write_text(CSV)
    for campaign in campaigns:
        (directory / f"{campaign}.tsv").write_text(TSV)
        (directory / f"{campaign}.html").write_text(HTML.format(title=f"Campaign {campaign}, {day}"))
    flags = {"partial": 2, "gap": 1}
    settings = {"time_zone": "UTC", "hour_rule": "sample"}
    facts = [{"campaign_id": c, "phrases": 1, "views": 15, "flags": flags, **settings} for c in campaigns]
    (directory / "index.html").write_text(HTML.format(title=f"Phrase views of {day}"))
    write_index(directory, day, run_id, asked_for=[], **settings, campaigns=facts)
    write_run_note(directory.parent, run_id, date.fromisoformat(day))


def write_ranking(root: Path, day: str, run_id: str) -> None:
    """Write one day of top repositories."""
    directory = root / "top_repositories" / day
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "index.html").write_text(HTML.format(title=f"Ranking of {day}"))
    (directory / "repositories.csv").write_text(RANKING_CSV)
    write_index(directory, day, run_id, repositories=100)
    write_run_note(directory.parent, run_id, date.fromisoformat(day))


def write_shop(root: Path, day: str) -> None:
    """Write one day of the shop, with one report."""
    directory = root / "shop" / day
    directory.mkdir(parents=True)
    (directory / "index.html").write_text(HTML.format(title=f"Shop of {day}"))
    (directory / "revenue_by_day.csv").write_text(SHOP_CSV)
    write_index(directory, day, SHOP_RUN, reports=["revenue_by_day"])
    write_run_note(directory.parent, SHOP_RUN, date.fromisoformat(day))


def write_topic(root: Path, dag_id: str, day: str) -> None:
    """Write one day of a DAG that reads a topic, with one report."""
    directory = root / dag_id / day
    directory.mkdir(parents=True)
    (directory / "index.html").write_text(HTML.format(title=f"{dag_id} of {day}"))
    (directory / "by_hour.csv").write_text(EVENTS_CSV)
    write_index(directory, day, EVENTS_RUN, reports=["by_hour"])
    write_run_note(directory.parent, EVENTS_RUN, date.fromisoformat(day))


def write_calls(root: Path, day: str, run_id: str, state: str = "finished", **counts: int) -> Path:
    """Write one run of calls, with a page where it is finished; return its directory."""
    directory = root / "api_calls" / day / run_folder(run_id)
    directory.mkdir(parents=True, exist_ok=True)
    if state == "finished":
        (directory / "index.html").write_text(HTML.format(title=f"Calls of {day}"))
        for name in ("results.csv", "todo.csv"):
            (directory / name).write_text(RESULTS_CSV)
        (directory / "rejected.ndjson").write_text("")
    write_progress(directory, run_id, state, **counts)
    return directory


def write_progress(directory: Path, run_id: str, state: str, **facts: object) -> None:
    """Write progress.json, as include/api_calls/progress.py does."""
    told = {
        "run_id": run_id,
        "recipe": "posts",
        "path": "august/users.csv",
        "state": state,
        "rows": 3,
        "done": 3,
    }
    told |= dict.fromkeys(("ok", "rejected", "failed", "unknown", "skipped", "not_sent"), 0)
    told |= {"requests": 3, "seconds_left": None, "updated_at": f"{CALLED_ON}T08:01:00+00:00", **facts}
    temporary = directory / ".progress.part"
    temporary.write_text(json.dumps(told))
    temporary.replace(directory / "progress.json")


def write_index(directory: Path, day: str, run_id: str, **more: object) -> None:
    """Write index.json."""
    facts = {"day": day, "run_id": run_id, "published_at": "2026-11-21T00:16:00+00:00", **more}
    (directory / "index.json").write_text(json.dumps(facts))
