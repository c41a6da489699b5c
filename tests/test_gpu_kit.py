"""The GPU kit: its list of wheels is complete, and docs/gpu.md names commands that can be sent."""

from __future__ import annotations

import json
import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from neurcodec.training.generator import GeneratorConfig
from neurcodec.training.pairs import PairsConfig
from neurcodec.training.stages import configured

ROOT = Path(__file__).parent.parent
KIT = ROOT / "tools" / "gpu"


def listed(name: str) -> set[str]:
    lines = (KIT / name).read_text().splitlines()
    return {plain(line) for line in lines if line and not line.startswith("#")}


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def needed(texts: list[str]) -> set[str]:
    asked = [Requirement(text) for text in texts]
    return {plain(one.name) for one in asked if one.marker is None or one.marker.evaluate({"extra": ""})}


def test_every_dependency_is_there_or_travels() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wheels, there = listed("wheels.txt"), listed("machine.txt")
    assert not wheels & there
    wanted = needed([*project["dependencies"], *project["optional-dependencies"]["train"]])
    assert wanted <= wheels | there, wanted - wheels - there


@pytest.mark.parametrize("name", sorted(listed("wheels.txt")))
def test_what_a_wheel_needs_is_there_or_travels(name: str) -> None:
    try:
        missing = needed(requires(name) or []) - listed("wheels.txt") - listed("machine.txt")
    except PackageNotFoundError:
        pytest.skip(f"{name} is not installed here")
    assert not missing


def test_every_command_of_the_page_is_short_and_names_files_that_exist() -> None:
    lines = [line.strip() for line in (ROOT / "docs" / "gpu.md").read_text().splitlines() if line.startswith("    ")]
    commands = [line.split(": ", 1)[-1] for line in lines]
    assert sum("there.py" in command for command in commands) >= 5
    for command in commands:
        files = re.findall(r"(?:tools|scripts)/[\w/.-]+", command)
        assert len(command) <= 2000 and files and all((ROOT / file).is_file() for file in files), command


@pytest.mark.parametrize("name", ["plan.json", "plan-rehearsal.json"])
def test_the_plans_have_settings_that_exist(name: str) -> None:
    plan = json.loads((KIT / name).read_text())
    for config, part in ((GeneratorConfig, "training"), (PairsConfig, "pairs")):
        configured(config, {key: str(value) for key, value in plan[part].items()})
    assert plan["checks_until"] < plan["timings_until"] < plan["training_until"]
