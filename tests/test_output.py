"""Atomic output and the overwrite policy."""

from __future__ import annotations

from pathlib import Path

import pytest

from neurcodec.errors import OutputError
from neurcodec.files.output import atomic_file, atomic_pictures, check_target


def test_file_appears_only_when_whole(tmp_path: Path) -> None:
    target = tmp_path / "out.nvc"
    with atomic_file(target) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".nvc"
        temporary.write_bytes(b"new")
        assert not target.exists()
    assert target.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [target]


def test_old_file_stays_when_the_job_fails(tmp_path: Path) -> None:
    target = tmp_path / "out.nvc"
    target.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), atomic_file(target) as temporary:
        temporary.write_bytes(b"half")
        raise KeyboardInterrupt
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_link_keeps_pointing_at_the_file(tmp_path: Path) -> None:
    real, link = tmp_path / "real.nvc", tmp_path / "link.nvc"
    real.write_bytes(b"old")
    link.symlink_to(real)
    with atomic_file(link) as temporary:
        temporary.write_bytes(b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"


def test_permissions_stay_and_long_names_fit(tmp_path: Path) -> None:
    target = tmp_path / ("\u00fc" * 120 + ".nvc")
    target.write_bytes(b"old")
    target.chmod(0o600)
    with atomic_file(target) as temporary:
        temporary.write_bytes(b"new")
    assert (target.read_bytes(), target.stat().st_mode & 0o777) == (b"new", 0o600)
    assert list(tmp_path.iterdir()) == [target]


def test_os_errors_name_the_output(tmp_path: Path) -> None:
    target = tmp_path / "out.nvc"
    with pytest.raises(OutputError, match=r"out\.nvc: No space left"), atomic_file(target):
        raise OSError(28, "No space left on device")


def test_all_pictures_appear_or_none(tmp_path: Path) -> None:
    pattern = tmp_path / "shot-%02d.png"
    with pytest.raises(ValueError, match="stop"), atomic_pictures(pattern) as temporary:
        Path(str(temporary) % 1).write_bytes(b"half")
        raise ValueError("stop")
    assert not list(tmp_path.iterdir())
    with atomic_pictures(pattern) as temporary:
        Path(str(temporary) % 1).write_bytes(b"1")
        Path(str(temporary) % 2).write_bytes(b"2")
        assert not list(tmp_path.glob("*.png"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["shot-01.png", "shot-02.png"]


def test_pictures_that_are_there_stay(tmp_path: Path) -> None:
    pattern, old = tmp_path / "shot-%02d.png", tmp_path / "shot-02.png"
    old.write_bytes(b"old")
    for overwrite in (False, True):
        try:
            with atomic_pictures(pattern, overwrite) as temporary:
                for number in (1, 2, 3):
                    Path(str(temporary) % number).write_bytes(b"new")
        except OutputError as error:
            assert not overwrite and "shot-02.png: exists already" in str(error)
            assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"new"] * 3
    with pytest.raises(OutputError, match=r"shot-01\.png: exists already"):
        check_target(pattern, tmp_path / "in.nvc", overwrite=False)


def test_overwrite_policy(tmp_path: Path) -> None:
    source, target = tmp_path / "in.mp4", tmp_path / "out.nvc"
    source.write_bytes(b"source")
    check_target(target, source, overwrite=False)
    target.write_bytes(b"old")
    with pytest.raises(OutputError, match="exists already; -f overwrites it"):
        check_target(target, source, overwrite=False)
    check_target(target, source, overwrite=True)
    with pytest.raises(OutputError, match="does not exist; make it first"):
        check_target(tmp_path / "no" / "out.nvc", source, overwrite=False)
    with pytest.raises(OutputError, match="not a regular file"):
        check_target(Path("/dev/null"), source, overwrite=True)


@pytest.mark.parametrize("kind", ["same", "symlink", "hardlink"])
def test_never_onto_the_input(tmp_path: Path, kind: str) -> None:
    source, target = tmp_path / "in.mp4", tmp_path / "out.mp4"
    source.write_bytes(b"source")
    if kind == "symlink":
        target.symlink_to(source)
    elif kind == "hardlink":
        target.hardlink_to(source)
    else:
        target = source
    with pytest.raises(OutputError, match="output and input are the same file"):
        check_target(target, source, overwrite=True)
