"""A server of S3 over HTTP (moto's) in a process of its own: it checks signatures and policies as AWS does.

Fixtures: `object_store` (session), `bucket` (a fresh one per test).
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from uuid import uuid4

import boto3
import pytest

from tests.servers.free_port import free_ports

START_TIMEOUT_S = 60
WORKER = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
READER = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "*"}
ONCE = {"retries": {"total_max_attempts": 1}}  # of botocore: or a store that is away is found out in 10 s


class ObjectStore:
    """The server. Attributes: url; worker, who may do all, and reader: (access key, secret key).

    Args: module: what is started, with moto's arguments.
    """

    def __init__(self, module: str = "moto.server") -> None:
        self.port = free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, "-m", module, "-H", "127.0.0.1", "-p", str(self.port)]
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            command,
            stdout=self._log,
            stderr=self._log,
            env=os.environ | {"INITIAL_NO_AUTH_ACTION_COUNT": "inf"},
        )
        try:
            self._wait()
            self.worker, self.reader = self._user("worker", WORKER), self._user("reader", READER)
            self.check_keys()
        except BaseException:
            self.stop()
            raise
        self.s3 = self._client("s3", self.worker)

    def airflow_connection(self, keys: tuple[str, str] | None = None, **extra: Any) -> str:
        """Return a value for AIRFLOW_CONN_*: of `worker` unless told; `extra` wins."""
        login, password = keys or self.worker
        extra = {"endpoint_url": self.url, "region_name": "us-east-1", "config_kwargs": ONCE} | extra
        return json.dumps({"conn_type": "aws", "login": login, "password": password, "extra": extra})

    def files(self, bucket: str, prefix: str = "") -> dict[str, bytes]:
        """Return each object below `prefix`, by its key without that."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys = [found["Key"] for page in pages for found in page.get("Contents", ())]
        return {
            key.removeprefix(prefix): self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            for key in keys
        }

    def put(self, bucket: str, key: str, data: bytes) -> None:
        """Write an object as another system does."""
        self.s3.put_object(Bucket=bucket, Key=key, Body=data)

    def check_keys(self, *, on: bool = True) -> None:
        """Have signatures and rights of every request from now on checked, or have any key accepted."""
        self._ask("/moto-api/reset-auth", b"0" if on else b"inf")

    def log(self) -> bytes:
        """Return what the server has said."""
        return os.pread(self._log.fileno(), os.fstat(self._log.fileno()).st_size, 0)

    def stop(self) -> None:
        """End the server; what it held is gone."""
        self._process.kill()
        self._process.wait()
        self._log.close()

    def _user(self, name: str, policy: dict[str, Any]) -> tuple[str, str]:
        iam = self._client("iam", ("nobody", "asks yet"))
        iam.create_user(UserName=name)
        document = json.dumps({"Version": "2012-10-17", "Statement": [policy]})
        iam.put_user_policy(UserName=name, PolicyName="allowed", PolicyDocument=document)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return key["AccessKeyId"], key["SecretAccessKey"]

    def _client(self, service: str, keys: tuple[str, str]) -> Any:
        key, secret = keys
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=key,
            aws_secret_access_key=secret,
        )

    def _ask(self, path: str, data: bytes | None = None) -> None:
        request = urllib.request.Request(f"{self.url}{path}", data, {"Content-Type": "text/plain"})
        urllib.request.urlopen(request, timeout=5).close()

    def _wait(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while self._process.poll() is None and time.monotonic() < deadline:
            with suppress(OSError):
                self._ask("/moto-api/data.json")
                return
            time.sleep(0.05)
        pytest.fail(f"the object store did not start:\n{self.log()[-2000:].decode()}", pytrace=False)


@pytest.fixture(scope="session")
def object_store() -> Iterator[ObjectStore]:
    """The session's server (1 to 2 s)."""
    server = ObjectStore()
    yield server
    server.stop()


@pytest.fixture
def bucket(object_store: ObjectStore) -> str:
    """A fresh, empty bucket."""
    name = f"test-{uuid4().hex[:12]}"
    object_store.s3.create_bucket(Bucket=name)
    return name
