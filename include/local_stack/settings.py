"""The settings of `make run` and `make up`, read from the environment once and checked at once."""

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr

from include.github.request import MAX_TOP
from include.local_stack.errors import BadSetting
from include.text import safe_repr

GITHUB = "https://api.github.com"
# What ONLY can name, and its DAGs in their order.
JOBS = {
    "github": ("github_top_repositories",),
    "phrases": ("phrases_views_import", "phrase_views_report"),
    "api": ("api_calls",),
    "shop": ("shop_migration", "shop_sync"),
    "events": ("user_events", "user_sessions"),
}

# What a child needs of the developer's environment; nothing of AIRFLOW_* may leak in.
INHERITED = (
    "PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy",
)  # fmt: skip
LOOPBACK = "127.0.0.1"
API_RATE = 7  # requests per second: what the stand-in for api_calls allows, and its connection asks for
LEAST_RATE = 0.01  # requests per second: the connection takes no smaller one


class Settings(BaseModel, frozen=True):
    """One start of the stack.

    root: the checkout. state: everything that is kept. dags: the DAG folder. only: the one of JOBS to run;
    None means all. github_api: root of the API; None means the stand-in. github_data: recorded answers for
    the stand-in; None means its own sample. monitoring: whether Prometheus runs beside it. inherited:
    variables that every child gets.
    """

    root: Path
    state: Path
    dags: Path
    only: str | None = None
    github_api: str | None = None
    github_token: SecretStr = SecretStr("")
    github_data: Path | None = None
    requests_per_second: float = 10.0
    max_concurrent_requests: int = 5
    top: int | None = None
    day: date | None = None
    monitoring: bool = False
    inherited: dict[str, str] = {}

    @property
    def conf(self) -> dict[str, object]:
        """The params of `github_top_repositories` that were given."""
        given: dict[str, object] = {}
        if self.top is not None:
            given["top"] = self.top
        if self.day is not None:
            given["day"] = self.day.isoformat()
        return given

    @property
    def jobs(self) -> tuple[tuple[str, ...], ...]:
        """The DAGs to run, those of each job in their order."""
        return (JOBS[self.only],) if self.only else tuple(JOBS.values())


def read_settings(environ: Mapping[str, str], root: Path, *, state: Path, dags: Path) -> Settings:
    """Read ONLY, GITHUB_API, GITHUB_TOKEN, GITHUB_DATA, RPS, CONCURRENCY, TOP, DAY and MONITORING.

    Empty is not given.

    Raises: BadSetting: names the variable and what it takes.
    """
    token = environ.get("GITHUB_TOKEN", "").strip()
    return Settings(
        root=root,
        state=state,
        dags=dags,
        only=_job(environ.get("ONLY", "")),
        github_api=_api(environ.get("GITHUB_API", "")) or (GITHUB if token else None),
        github_token=SecretStr(token),
        github_data=_directory("GITHUB_DATA", environ.get("GITHUB_DATA", "")),
        requests_per_second=_number("RPS", environ.get("RPS") or "10", 1000),
        max_concurrent_requests=_whole("CONCURRENCY", environ.get("CONCURRENCY") or "5", 100),
        top=_whole("TOP", environ["TOP"], MAX_TOP) if environ.get("TOP") else None,
        day=_day(environ["DAY"]) if environ.get("DAY") else None,
        monitoring=_switch("MONITORING", environ.get("MONITORING", "")),
        inherited=_inherited(environ),
    )


def _inherited(environ: Mapping[str, str]) -> dict[str, str]:
    kept = {name: environ[name] for name in INHERITED if name in environ}
    # The components talk to each other on loopback, whatever proxy leads to GitHub.
    outside = environ.get("NO_PROXY") or environ.get("no_proxy") or ""
    bypass = ",".join(filter(None, [outside, LOOPBACK, "localhost"]))
    return kept | {"NO_PROXY": bypass, "no_proxy": bypass}


def _job(value: str) -> str | None:
    if value and value not in JOBS:
        raise BadSetting("ONLY", value, f"one of {', '.join(JOBS)}")
    return value or None


def _api(value: str) -> str | None:
    if not value:
        return None
    try:
        parts = urlsplit(value)
        usable = parts.scheme in {"http", "https"} and parts.hostname and value.isascii() and parts.port != 0
        usable = usable and not parts.netloc.endswith(":")  # an empty port, which would be the scheme's own
    except ValueError:  # half an IPv6 address, a port that is none
        usable = False
    if not usable:
        raise BadSetting("GITHUB_API", value, "the root of the API as a URL, such as https://api.github.com")
    return value.rstrip("/")


def _directory(name: str, value: str) -> Path | None:
    if not value:
        return None
    try:
        path = Path(value).resolve()
        if path.is_dir():
            return path
    except (OSError, ValueError):  # a name too long, a NUL, no UTF-8
        raise BadSetting(name, value, "no name of a directory") from None
    raise BadSetting(name, value, f"a directory is expected and {safe_repr(str(path))} is none")


def _switch(name: str, value: str) -> bool:
    if value not in ("", "0", "1"):
        raise BadSetting(name, value, "1, or nothing")
    return value == "1"


def _whole(name: str, value: str, largest: int) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", value) or not 1 <= int(value) <= largest:
        raise BadSetting(name, value, f"a whole number from 1 to {largest}")
    return int(value)


def _number(name: str, value: str, largest: int) -> float:
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", value) or not LEAST_RATE <= float(value) <= largest:
        raise BadSetting(name, value, f"a number from {LEAST_RATE} to {largest}")
    return float(value)


def _day(value: str) -> date:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
        raise BadSetting("DAY", value, "a UTC day as YYYY-MM-DD")
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        raise BadSetting("DAY", value, "a UTC day as YYYY-MM-DD that is in the calendar") from error
