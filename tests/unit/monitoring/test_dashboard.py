"""Grafana's dashboard, as committed."""

import json
import re

import yaml

from include.monitoring.dashboard import FILE, PANELS, as_text, dashboard
from include.monitoring.metrics import METRICS, PREFIX

PROVISIONING = FILE.parent.parent / "provisioning"


def test_the_file_is_what_the_code_makes():
    """Else: python -m include.monitoring.dashboard."""
    assert FILE.read_text() == as_text()


def test_it_is_seen_at_a_glance():
    """At most twelve panels, none over another, no title twice."""
    panels = json.loads(FILE.read_text())["panels"]
    assert len(panels) <= 12
    assert len({panel["title"] for panel in panels}) == len(panels)
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
    assert len(places) == len(panels)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels)


def test_it_asks_for_metrics_and_labels_that_there_are():
    """And legends name labels of what they ask for."""
    for panel in PANELS:
        for legend, expression in panel.targets:
            asked = re.findall(rf"\b{PREFIX}(\w+)", expression)
            assert asked
            assert set(asked) <= set(METRICS)
            labels = {label for name in asked for label in METRICS[name].labels}
            assert set(re.findall(r"\{\{(\w+)\}\}", legend)) <= labels


def test_the_source_is_the_one_that_is_provisioned():
    """By its uid, and nobody's password."""
    (source,) = yaml.safe_load((PROVISIONING / "datasources" / "stagehouse.yml").read_text())["datasources"]
    used = {target["datasource"]["uid"] for panel in dashboard()["panels"] for target in panel["targets"]}
    assert used == {source["uid"]}
    assert "secureJsonData" not in source
