"""The alerts: what each needs beside what Prometheus' own tool asks for."""

import re
from pathlib import Path

import pytest
import yaml

from include.monitoring.limits import KAFKA_BEHIND, QUEUED_S, SHARE, SILENT_S, SYNC_BEHIND
from include.monitoring.metrics import METRICS, PREFIX

ROOT = Path(__file__).resolve().parents[3]
PLACE = ROOT / "include" / "monitoring" / "prometheus"
ALERTS = [
    rule for group in yaml.safe_load((PLACE / "alerts.yml").read_text())["groups"] for rule in group["rules"]
]
TESTED = yaml.safe_load((PLACE / "alerts_test.yml").read_text())["tests"]
METRIC = re.compile(rf"\b{PREFIX}(\w+)")


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_each_alert_says_what_to_do(rule):
    """Whom it wakes, after how long, with numbers, and where more is written."""
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["for"]
    assert "$value" in rule["annotations"]["summary"]
    file, _, anchor = rule["annotations"]["docs"].partition("#")
    headings = re.findall(r"^#+ (.+)$", (ROOT / file).read_text(), re.MULTILINE)
    assert rule["alert"] in headings
    assert anchor == rule["alert"].lower()


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_each_alert_is_tried(rule):
    """Firing, and not firing."""
    of_rule = [
        each for test in TESTED for each in test["alert_rule_test"] if each["alertname"] == rule["alert"]
    ]
    assert {bool(each.get("exp_alerts")) for each in of_rule} == {True, False}


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_each_alert_looks_at_metrics_that_there_are(rule):
    """Of ours, or of Prometheus itself."""
    assert set(METRIC.findall(rule["expr"])) <= set(METRICS)


@pytest.mark.parametrize(
    ("alert", "limit"),
    [
        ("SchedulerDown", f"> {SILENT_S['scheduler']}"),
        ("DagProcessorDown", f"> {SILENT_S['dag_processor']}"),
        ("RowsDropped", f"< {SHARE}"),
        ("TasksStuck", f"> {QUEUED_S}"),
        ("SourceBehind", f"> {SYNC_BEHIND.total_seconds():.0f}"),
        ("KafkaBehind", f"> {KAFKA_BEHIND}"),
    ],
)
def test_the_page_has_the_limits_of_the_alerts(alert: str, limit: str):
    """What wakes somebody is marked on the page, and nothing else."""
    (rule,) = (rule for rule in ALERTS if rule["alert"] == alert)
    assert re.search(rf"{re.escape(limit)}\b", rule["expr"])
