"""docker-compose.yaml, Dockerfile and .env.example, read as compose would read them (no engine is needed)."""

import json
import re
import subprocess
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
SERVERS = ("postgres", "clickhouse", "redis")
SCHEDULERS = {"small": "scheduler-small", "distributed": "scheduler-distributed", "demo": "scheduler-demo"}
COMPONENTS = ("api-server", "dag-processor", *SCHEDULERS.values(), "worker", "triggerer")
INBOX, RECIPES = "${INBOX:-./inbox}", "${RECIPES:-./recipes}"
MONITORING = ("prometheus", "grafana")
OF_THE_CHECKOUT = {  # mounted to be read
    f"./include/monitoring/{name}" for name in ("prometheus", "grafana/provisioning", "grafana/dashboards")
}
SECRETS_AS_FILES = {"METRICS_TOKEN", "GRAFANA_PASSWORD"}  # demanded of nobody who has no monitoring
SECRETS = {
    "POSTGRES_PASSWORD",
    "CLICKHOUSE_PASSWORD",
    "REDIS_PASSWORD",
    "ADMIN_PASSWORD",
    "FERNET_KEY",
    "API_SECRET_KEY",
    "JWT_SECRET",
}
SETTINGS = {
    "GITHUB_API",
    "GITHUB_TOKEN",
    "GITHUB_PROCESSES",
    "AIRFLOW_PORT",
    "AIRFLOW_URL",
    "INBOX",
    "RECIPES",
    "WORKERS",
    "WORKER_CONCURRENCY",
    "PROMETHEUS_PORT",
    "GRAFANA_PORT",
}
VARIABLE = re.compile(r"(?<!\$)\$\{(?P<name>[A-Z_]+)(?P<rest>[^}]*)\}")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """Parse the file, anchors merged."""
    return yaml.safe_load((ROOT / "docker-compose.yaml").read_text())


@pytest.fixture(scope="module")
def example() -> dict[str, str]:
    """Parse .env.example."""
    lines = (ROOT / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@pytest.fixture(scope="module")
def environment(compose) -> dict[str, str]:
    """Read what the scheduler's tasks see."""
    return compose["services"]["scheduler-small"]["environment"]


def test_is_what_the_compose_specification_describes(compose):
    """Every key and type; every service is known, every named volume declared and used."""
    schemas = resources.files("check_jsonschema") / "builtin_schemas" / "vendor"
    schema = json.loads((schemas / "compose-spec.json").read_text())
    validator = jsonschema.validators.validator_for(schema)(schema)
    assert [(e.json_path, e.message) for e in validator.iter_errors(compose)] == []
    assert set(compose["services"]) == {*SERVERS, "github", "init", *COMPONENTS, *MONITORING}
    services = compose["services"].values()
    mounts = {mount.rsplit(":/", 1)[0] for service in services for mount in service.get("volumes", [])}
    assert mounts - {INBOX, RECIPES} - OF_THE_CHECKOUT == compose["volumes"].keys()
    assert all((ROOT / place).is_dir() for place in OF_THE_CHECKOUT)


@pytest.mark.parametrize("profile", SCHEDULERS)
def test_the_executor_comes_with_the_one_scheduler_of_the_profile(compose, profile):
    """No variable names it; compose refuses two containers of one name; workers only where they are used."""
    services = {
        name: service
        for name, service in compose["services"].items()
        if profile in service.get("profiles", [profile])
    }
    workers = {"redis", "worker", "triggerer"} if profile == "distributed" else set()
    always = {"postgres", "clickhouse", "init", "api-server", "dag-processor"}
    stand_in = {"github"} if profile == "demo" else set()
    assert set(services) == always | {SCHEDULERS[profile]} | workers | stand_in
    executors = {
        name: s.get("environment", {}).get("AIRFLOW__CORE__EXECUTOR") for name, s in services.items()
    }
    executor = "CeleryExecutor" if profile == "distributed" else "LocalExecutor"
    assert executors[SCHEDULERS[profile]] == executor
    assert set(executors.values()) == {None, executor}
    assert services[SCHEDULERS[profile]]["container_name"] == "stagehouse-scheduler"


def test_one_profile_is_demanded(compose):
    """Without one there would be no scheduler, and nobody would notice before the night."""
    asked = compose["services"]["init"]["environment"]["PROFILE"]
    assert asked == "${COMPOSE_PROFILES:?name one of small, distributed, demo in .env}"
    refuse = compose["services"]["init"]["command"][-1].partition("airflow db migrate")[0].replace("$$", "$")
    for profile, code in {
        **dict.fromkeys(SCHEDULERS, 0),
        **dict.fromkeys((f"{name},monitoring" for name in SCHEDULERS), 0),
        "small,distributed": 1,
        "monitoring": 1,
        "dmeo": 1,
    }.items():
        done = subprocess.run(
            ["sh", "-euc", refuse], env={"PROFILE": profile}, check=False, capture_output=True
        )
        assert done.returncode == code
        assert (b"name one of small, distributed, demo" in done.stderr) == bool(code)


@pytest.mark.parametrize("name", [*SERVERS, "github", *COMPONENTS, *MONITORING])
def test_each_lasting_service_is_watched_restarted_and_bounded(compose, name):
    """A health check with limits, a restart after a crash or a reboot, bounds for memory and logs."""
    service = compose["services"][name]
    assert service["deploy"]["resources"]["limits"].keys() == {"memory", "pids"}
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"].keys() == {"test", "interval", "timeout", "retries", "start_period"}


def test_airflow_waits_for_its_servers_and_the_migration(compose):
    """No component starts before the database is migrated."""
    for name in COMPONENTS:
        conditions = {k: v["condition"] for k, v in compose["services"][name]["depends_on"].items()}
        more = {
            "worker": {"redis", "api-server"},
            "scheduler-distributed": {"redis"},
            "scheduler-demo": {"github"},
        }
        assert conditions == {
            "init": "service_completed_successfully",
            **dict.fromkeys({"postgres", "clickhouse"} | more.get(name, set()), "service_healthy"),
        }
    command = compose["services"]["init"]["command"][-1]
    assert command.index("airflow db migrate") < command.index("migrate(clickhouse)")


def test_no_secret_has_a_default():
    """Each secret is demanded, with the command that makes it, and its name tells compose nothing else."""
    found = list(VARIABLE.finditer((ROOT / "docker-compose.yaml").read_text()))
    demanded = {match["name"] for match in found if match["rest"] == ":?run make env"}
    assert demanded == SECRETS
    assert {match["name"] for match in found} - SECRETS == {"COMPOSE_PROFILES", "METRICS_TOKEN", *SETTINGS}
    assert {match["rest"] for match in found if match["name"] == "METRICS_TOKEN"} == {"-"}


def test_no_password_is_written_down(compose):
    """What is named like a secret is one of them, whole; so is each password inside a URL or a connection."""
    written: set[tuple[str, str]] = set()
    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            if name == "STAGEHOUSE_METRICS_TOKEN" or name.endswith(("_PASSWORD", "_KEY", "_SECRET", "_AUTH")):
                written.add((name, value))
            elif name.startswith("AIRFLOW_CONN_"):
                written.add((name, json.loads(value).get("password", "${GITHUB_TOKEN-}")))
            elif "://" in value and "@" in value:
                written.add((name, value.partition("@")[0].partition("://")[2].partition(":")[2]))
    assert len(written) == 14
    allowed = {f"${{{name}:?run make env}}" for name in SECRETS} | {"${GITHUB_TOKEN-}", "${METRICS_TOKEN-}"}
    assert {(name, value) for name, value in written if value not in allowed} == set()


def test_no_container_runs_as_root(compose):
    """Servers are told a user of their image; Airflow's image names its own."""
    named = (*SERVERS, "init", *COMPONENTS, *MONITORING)
    assert {name: compose["services"][name].get("user") for name in named} == {
        "prometheus": "65534:65534",
        "grafana": "472:0",
        "postgres": "postgres",
        "clickhouse": "101:101",
        "redis": "redis",
        **dict.fromkeys(("init", *COMPONENTS)),
    }
    assert re.findall(r"^USER (\w+)$", dockerfile(), re.MULTILINE) == ["airflow"]


def test_the_example_explains_every_variable_and_holds_no_secret(example):
    """Whoever copies it knows all variables; all secrets are empty."""
    text = (ROOT / "docker-compose.yaml").read_text()
    assert example.keys() == {match["name"] for match in VARIABLE.finditer(text)} | SECRETS_AS_FILES
    assert {example[name] for name in SECRETS | SECRETS_AS_FILES} == {""}


def test_images_are_pinned_and_share_the_lock_s_airflow(compose):
    """No image floats; the image's Airflow is the one that was locked and tested."""
    for name in (*SERVERS, *MONITORING):
        assert re.search(r":v?\d+\.\d+", compose["services"][name]["image"]), name
    base = re.search(r"^FROM apache/airflow:(?:slim-)?([\d.]+)-python3\.11$", dockerfile(), re.MULTILINE)
    assert base is not None
    assert f"\napache-airflow=={base[1]} " in (ROOT / "requirements.lock").read_text()
    assert "--require-hashes -r /tmp/requirements.lock" in dockerfile()


def test_only_what_people_look_at_is_reachable_and_only_from_this_host(compose):
    """One port of each, on loopback."""
    published = {
        name: service["ports"] for name, service in compose["services"].items() if "ports" in service
    }
    assert published == {
        "api-server": ["127.0.0.1:${AIRFLOW_PORT:-8080}:8080"],
        "prometheus": ["127.0.0.1:${PROMETHEUS_PORT:-9090}:9090"],
        "grafana": ["127.0.0.1:${GRAFANA_PORT:-3000}:3000"],
    }


def test_the_monitoring_gets_its_secrets_as_files(compose):
    """Where its configuration looks for them; no variable of its containers holds one."""
    assert compose["secrets"] == {
        "metrics_token": {"environment": "METRICS_TOKEN"},
        "grafana_password": {"environment": "GRAFANA_PASSWORD"},
    }
    prometheus, grafana = (compose["services"][name] for name in MONITORING)
    assert prometheus["secrets"] == ["metrics_token"]
    assert "environment" not in prometheus
    config = yaml.safe_load((ROOT / "include/monitoring/prometheus/prometheus.yml").read_text())
    (job,) = config["scrape_configs"]
    assert job["authorization"]["credentials_file"] == "/run/secrets/metrics_token"
    assert job["static_configs"] == [{"targets": ["api-server:8080"]}]
    assert grafana["secrets"] == ["grafana_password"]
    assert grafana["environment"]["GF_SECURITY_ADMIN_PASSWORD__FILE"] == "/run/secrets/grafana_password"
    assert not [value for value in grafana["environment"].values() if "$" in value]
    folder = yaml.safe_load(
        (ROOT / "include/monitoring/grafana/provisioning/dashboards/stagehouse.yml").read_text()
    )
    assert f":{folder['providers'][0]['options']['path']}:ro" in " ".join(grafana["volumes"])


def test_inbox_and_recipes_are_directories_of_the_host_that_are_only_read(compose):
    """Every component that runs or shows tasks sees them. One takes uploads, and writes into the inbox."""
    writable = f"{INBOX}:/opt/airflow/data/inbox"
    of_worker = compose["services"]["worker"]["volumes"]
    assert f"{writable}:ro" in of_worker
    assert f"{RECIPES}:/opt/airflow/data/recipes:ro" in of_worker
    for name in COMPONENTS:
        expected = [writable if each == f"{writable}:ro" else each for each in of_worker]
        assert compose["services"][name]["volumes"] == (expected if name == "api-server" else of_worker)


def test_holds_the_contract_of_all_ways_to_start(environment):
    """Folders, import path, variables and connections are those that hooks and DAGs rely on."""
    assert environment["AIRFLOW__CORE__DAGS_FOLDER"] == "/opt/airflow/dags"
    assert environment["AIRFLOW__CORE__PLUGINS_FOLDER"] == "/opt/airflow/plugins"
    assert environment["PYTHONPATH"] == "/opt/airflow:/opt/airflow/plugins"
    assert environment["AIRFLOW__CORE__LOAD_EXAMPLES"] == "False"
    assert environment["AIRFLOW_VAR_STAGING_ROOT"] == "/opt/airflow/data/staging"
    assert environment["AIRFLOW_VAR_REPORTS_ROOT"] == "/opt/airflow/data/reports"
    assert environment["AIRFLOW_VAR_INBOX_ROOT"] == "/opt/airflow/data/inbox"
    assert environment["AIRFLOW_VAR_RECIPES_ROOT"] == "/opt/airflow/data/recipes"
    types = {
        name: connection(environment, name)["conn_type"] for name in ("postgres", "github", "clickhouse")
    }
    assert types == {"postgres": "postgres", "github": "github", "clickhouse": "clickhouse"}
    assert connection(environment, "github")["host"] == "${GITHUB_API:-https://api.github.com}"
    assert connection(environment, "clickhouse")["schema"] == "stagehouse"


def test_make_env_fills_every_secret_once(tmp_path, example):
    """The written file is private, has different secrets of full length, and is never written over."""
    for name in ("Makefile", ".env.example"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    make = ["make", "--no-print-directory", "env"]
    subprocess.run(make, cwd=tmp_path, check=True, capture_output=True)
    written = tmp_path / ".env"
    filled = dict(
        line.split("=", 1) for line in written.read_text().splitlines() if "=" in line and line[0] != "#"
    )
    assert filled.keys() == example.keys()
    assert written.stat().st_mode & 0o777 == 0o600
    secrets = SECRETS | SECRETS_AS_FILES
    assert len({filled[name] for name in secrets}) == len(secrets)
    assert min(len(filled[name]) for name in secrets) >= 43
    assert len(filled["JWT_SECRET"]) >= 64
    before = written.read_bytes()
    again = subprocess.run(make, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert again.returncode != 0
    assert ".env is there already" in again.stderr
    assert written.read_bytes() == before


def connection(environment: dict[str, str], name: str) -> dict[str, Any]:
    """Read one connection; secrets have no character that would break its JSON."""
    return json.loads(environment[f"AIRFLOW_CONN_{name.upper()}_DEFAULT"])


def dockerfile() -> str:
    """Read the Dockerfile."""
    return (ROOT / "Dockerfile").read_text()


def test_the_image_has_each_module_that_a_command_starts():
    """What .dockerignore leaves out cannot be run."""
    left_out = [
        line for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("include/")
    ]
    started = re.findall(r"\binclude(?:\.\w+)+", (ROOT / "docker-compose.yaml").read_text())
    assert "include.github_stand_in" in started
    paths = [name.replace(".", "/") for name in started]
    assert [path for path in paths for folder in left_out if path.startswith(folder)] == []
