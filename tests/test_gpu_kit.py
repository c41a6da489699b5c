"""The GPU kit: its list of wheels is complete, docs/gpu.md has commands that can be sent, its parts do as they say."""

from __future__ import annotations

import json
import re
import subprocess
import time
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from types import SimpleNamespace

import pytest
from packaging.requirements import Requirement

from neurcodec.training.generator import GeneratorConfig
from neurcodec.training.pairs import PairsConfig
from neurcodec.training.stages import configured
from tools.gpu import base_pairs, conduct, lists, pack

ROOT = Path(__file__).parent.parent
KIT = ROOT / "tools" / "gpu"


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def listed(name: str) -> set[str]:
    return {plain(package) for package in lists.package_names(KIT / name)}


def asked(texts: list[str]) -> list[Requirement]:
    found = [Requirement(text) for text in texts]
    return [one for one in found if one.marker is None or one.marker.evaluate({"extra": ""})]


def needs_of_the_project() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return asked([*project["dependencies"], *project["optional-dependencies"]["train"]])


def test_every_dependency_is_there_or_travels() -> None:
    wheels, there = listed("wheels.txt"), listed("machine.txt")
    assert not wheels & there
    wanted = {plain(one.name) for one in needs_of_the_project()}
    assert wanted <= wheels | there, wanted - wheels - there


@pytest.mark.parametrize("name", sorted(listed("wheels.txt")))
def test_what_a_wheel_needs_is_there_or_travels(name: str) -> None:
    try:
        wanted = {plain(one.name) for one in asked(requires(name) or [])}
    except PackageNotFoundError:
        pytest.skip(f"{name} is not installed here")
    assert wanted <= listed("wheels.txt") | listed("machine.txt")


def test_the_versions_that_are_there_are_new_enough() -> None:
    lines = (KIT / "machine.txt").read_text().splitlines()
    there = dict(line.split("==") for line in lines if "==" in line)
    wanted = needs_of_the_project()
    for name in sorted(listed("wheels.txt")):
        try:
            wanted += asked(requires(name) or [])
        except PackageNotFoundError:
            continue
    for one in wanted:
        if (seen := there.get(plain(one.name))) is not None:
            assert one.specifier.contains(seen), f"{one} but {seen} there"


def test_every_command_of_the_page_can_be_sent() -> None:
    lines = (ROOT / "docs" / "gpu.md").read_text().splitlines()
    commands = [line.strip().split(": ", 1)[-1] for line in lines if line.startswith("    ")]
    assert sum("tools.gpu.there" in command for command in commands) >= 5
    for command in commands:
        modules = re.findall(r"-m (tools[\w.]+)", command)
        files = [f"{module.replace('.', '/')}.py" for module in modules] + re.findall(r"tools/[\w/.-]+", command)
        assert len(command) <= 2000 and all((ROOT / file).is_file() for file in files), command


@pytest.mark.parametrize("name", ["plan.json", "plan-rehearsal.json"])
def test_the_plans_have_settings_that_exist(name: str) -> None:
    plan = json.loads((KIT / name).read_text())
    for config, part in ((GeneratorConfig, "training"), (PairsConfig, "pairs")):
        configured(config, {key: str(value) for key, value in plan[part].items()})
    assert plan["checks"]["until"] < plan["timings"]["until"] < plan["training_until"] < conduct.LEASE_MINUTES - 2


def test_parts_hold_no_more_than_a_transfer_and_keep_the_order(tmp_path: Path) -> None:
    files = []
    for number, size in enumerate((1000, 2000, 4000, 500)):
        (tmp_path / f"{number}").write_bytes(bytes(size))
        files.append((tmp_path / f"{number}", f"data/{number}"))
    room = 5100 + pack.FILE_COST
    assert pack.fill(tmp_path / "out", files, room) == [1, 1, 2, 3]
    assert (tmp_path / "out" / "3" / "data" / "3").stat().st_size == 500
    with pytest.raises(SystemExit, match="do not fit"):
        pack.fill(tmp_path / "out", files, 4000)


def test_the_state_that_was_kept_last_comes_out_of_the_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=a", "-c", "user.email=a@b.example")
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init", "-b", "main")
    run = tmp_path / pack.STATE
    run.mkdir(parents=True)
    for step in (7, 9):
        (run / "checkpoint.json").write_text(json.dumps({"step": step}))
        (run / f"checkpoint-{step}.safetensors").write_text(str(step))
        git("add", "-A")
        git("commit", "-m", f"step {step}")
    git("rm", "-r", "training-state")
    git("commit", "-m", "away")
    monkeypatch.setattr(pack, "ROOT", tmp_path)
    names = [file.name for file in lists.state_files(pack.kept_state(tmp_path / "out"))]
    assert names == ["checkpoint-9.safetensors", "checkpoint.json"]


def kit_in(folder: Path) -> conduct.Kit:
    (folder / "parts.json").write_text(json.dumps({"parts": 2, "set_up_after": 1, "commit": "abc"}))
    (folder / "gone").write_text(str(time.time() + 1200))
    return conduct.Kit(folder, KIT / "plan.json")


def test_minutes_are_those_of_the_lease_and_stop_ends_training(tmp_path: Path) -> None:
    kit = kit_in(tmp_path)
    assert kit.minute() == pytest.approx(10, abs=0.1) and not kit.stopped()
    (tmp_path / "stop").touch()
    assert kit.stopped()


def test_what_comes_back_comes_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conduct, "PIECE", 4)
    (tmp_path / "run.tar").write_bytes(b"0123456789")
    conduct.put_pieces(kit_in(tmp_path), tmp_path / "run.tar")
    pieces = sorted((tmp_path / "out").iterdir())
    assert [piece.name for piece in pieces] == ["run.tar.0", "run.tar.1", "run.tar.2"]
    assert b"".join(piece.read_bytes() for piece in pieces) == b"0123456789"


def test_a_snapshot_has_the_newest_state_alone(tmp_path: Path) -> None:
    kit = kit_in(tmp_path)
    run = kit.runs / "generator"
    run.mkdir(parents=True)
    for name in ("checkpoint-1.safetensors", "checkpoint-2.safetensors", "log.jsonl"):
        (run / name).write_text(name)
    (run / "checkpoint.json").write_text('{"step": 2}')
    names = {file.name for file in (conduct.snapshot(kit) / "generator").iterdir()}
    assert names == {"checkpoint-2.safetensors", "checkpoint.json", "log.jsonl"}


def test_pairs_are_made_of_parts_as_they_come_and_none_in_a_pause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kit, calls = kit_in(tmp_path), []
    done = SimpleNamespace(wait=lambda: 0, poll=lambda: 0)
    monkeypatch.setattr(kit, "stage", lambda name, *folders, **how: calls.append(folders) or done)
    pairs = base_pairs.Pairs(kit)
    for folder in ("train", "images"):
        (tmp_path / "data" / folder).mkdir(parents=True)
    (tmp_path / "took-1").touch()
    pairs.pause(True)
    pairs.start()
    time.sleep(0.2)
    assert not calls
    (tmp_path / "took-2").touch()
    pairs.pause(False)
    pairs.join(10)
    assert not pairs.is_alive() and 1 <= len(calls) <= 2
    assert calls[-1][:2] == tuple(f"--data={tmp_path}/data/{folder}" for folder in ("images", "train"))
