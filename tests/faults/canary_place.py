"""Servers whose passwords are canaries, the connections to them, and all that a run says and leaves there."""

import json
import os
from collections.abc import Callable
from pathlib import Path

from tests.dags.sample_github import SampleGitHub
from tests.faults.canaries import Canary, command_lines, files_below
from tests.servers.clickhouse import ClickHouseServer
from tests.servers.mailbox import Mailbox
from tests.servers.object_store import ObjectStore
from tests.servers.postgres import PostgresServer

POSTGRES, CLICKHOUSE, SMTP, AWS, AWS_LOGIN, AWS_SESSION = CANARIES = [
    Canary(name) for name in ("Ankh", "Bulrush", "Dodo", "Egret", "Fennel", "Gecko")
]
GITHUB, GITHUB_TOO = (Canary(name, "_.-") for name in ("Civet", "Heron"))
CANARIES += [GITHUB, GITHUB_TOO]
SECRETS = {"postgres": POSTGRES, "clickhouse": CLICKHOUSE, "github": GITHUB, "smtp": SMTP}
BUCKET = "canary-bucket"
NOTIFIER = {
    "class": "airflow.providers.smtp.notifications.smtp.SmtpNotifier",
    "kwargs": {"to": "night@example.org", "subject": "{{ notice }}", "html_content": "{{ notice }}"},
}


class Place:
    """What the runs work with, each server with a secret of its own.

    Attributes: github; clickhouse; postgres; mailbox; store; directory of all files that a run writes.
    """

    def __init__(
        self,
        github: SampleGitHub,
        clickhouse: ClickHouseServer,
        postgres: PostgresServer,
        mailbox: Mailbox,
        store: ObjectStore,
        directory: Path,
    ) -> None:
        self.github, self.clickhouse, self.postgres, self.mailbox = github, clickhouse, postgres, mailbox
        self.store, self.directory = store, directory

    def connection(self, kind: str) -> dict[str, object]:
        """Return the fields of the connection to a server."""
        match kind:
            case "postgres":
                return json.loads(self.postgres.airflow_connection(login="canary", password=POSTGRES))
            case "clickhouse":
                return json.loads(self.clickhouse.airflow_connection(login="canary", password=CLICKHOUSE))
            case "smtp":
                return json.loads(self.mailbox.airflow_connection(login="canary", password=SMTP))
            case "aws":
                extra = {"aws_session_token": AWS_SESSION}
                return json.loads(self.store.airflow_connection((AWS_LOGIN, AWS), **extra))
        fast = {"requests_per_second": 500, "max_concurrent_requests": 10}
        tokens = f"{GITHUB}, {GITHUB_TOO}"
        return {"conn_type": "github", "host": self.github.url, "password": tokens, "extra": fast}

    def environment(self, write: Callable[[str, dict], str], *kinds: str) -> dict[str, str]:
        """Return connections and variables; the connections of `kinds` are as `write` writes them."""
        connections = {kind: json.dumps(self.connection(kind)) for kind in SECRETS}
        connections |= {kind: write(kind, self.connection(kind)) for kind in kinds}
        variables = {
            f"VAR_{name.upper()}_ROOT": str(self.directory / name) for name in ("staging", "reports", "inbox")
        }
        connections = {f"CONN_{kind.upper()}_DEFAULT": text for kind, text in connections.items()}
        everything = connections | variables | {"VAR_FAILURE_NOTIFIER": json.dumps(NOTIFIER)}
        return {f"AIRFLOW_{name}": value for name, value in everything.items()}

    def on_s3(self, write: Callable[[str, dict], str], bucket: str = BUCKET) -> dict[str, str]:
        """Return the variables of roots in a bucket, and the connection as `write` writes it."""
        roots = {
            f"AIRFLOW_VAR_{name.upper()}_ROOT": f"s3://{bucket}/{name}" for name in ("staging", "reports")
        }
        return roots | {"AIRFLOW_CONN_AWS_DEFAULT": write("aws", self.connection("aws"))}

    def texts(self, said: str) -> dict[str, bytes]:
        """All that came of a run: output, Airflow's database and logs, files, mails, logs of the servers."""
        airflow = Path(os.environ["AIRFLOW_HOME"])
        files = files_below(airflow, self.directory, self.clickhouse.directory / "data")
        logs = [*self.clickhouse.directory.glob("*.log"), self.postgres.directory / "log"]
        mails = {f"mail {n}": mail.as_bytes() for n, mail in enumerate(self.mailbox.mails)}
        mails |= {f"text of {n}": b"".join(mail.get_payload(decode=True) or b"" for mail in mail.walk())
                  for n, mail in enumerate(self.mailbox.mails)}  # fmt: skip
        return {
            "output": said.encode(),
            **files,
            **self.store.files(BUCKET),
            "log of the store": self.store.log(),
            **{str(log): log.read_bytes() for log in logs},
            **mails,
            **command_lines(),
        }
