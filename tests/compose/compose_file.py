"""docker-compose.yaml as compose reads it: the services of profiles, with variables put in."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

# https://github.com/compose-spec/compose-spec/blob/main/12-interpolation.md, what this file uses of it
VARIABLE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>\w+)(?:(?P<rule>:-|-|:\?)(?P<word>[^}]*))?\})")


def read_env(file: Path) -> dict[str, str]:
    """Read a .env file."""
    lines = file.read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def read_services(file: Path, variables: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the services of the profiles that the variables name."""
    services = yaml.safe_load(file.read_text())["services"]
    profiles = set(variables["COMPOSE_PROFILES"].split(","))
    return {
        name: _interpolated(service, variables)
        for name, service in services.items()
        if profiles & set(service.get("profiles", profiles))
    }


def _interpolated(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _interpolated(each, variables) for key, each in value.items()}
    if isinstance(value, list):
        return [_interpolated(each, variables) for each in value]
    return VARIABLE.sub(lambda found: _value(found, variables), value) if isinstance(value, str) else value


def _value(found: re.Match[str], variables: Mapping[str, str]) -> str:
    if found["dollar"]:
        return "$"
    value = variables.get(found["name"])
    if found["rule"] == ":?":
        assert value, f"{found['name']}: {found['word']}"
    missing = value is None if found["rule"] == "-" else not value
    return (found["word"] or "") if missing else str(value)
