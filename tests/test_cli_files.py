"""Commands on files from strangers: `--no-limits`, and text from files on the terminal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Run
from container_samples import HEADER, MODEL, gop

from neurcodec.container import Gop, Limits, Writer
from neurcodec.errors import LimitError, ModelError
from neurcodec.jobs.decode import decode_file
from neurcodec.jobs.inspection import describe, open_source, verify_file
from neurcodec.jobs.options import DecodeOptions


@pytest.fixture
def wide(tmp_path: Path) -> Path:
    """A whole file of pictures that are wider than the limit."""
    with (tmp_path / "wide.nvc").open("wb") as file:
        writer = Writer(file, replace(HEADER, width=32768), MODEL, Limits.none())
        writer.write_gop(gop(0, 5))
        writer.close()
    return tmp_path / "wide.nvc"


def test_limits_are_lifted_on_request(wide: Path, tmp_path: Path) -> None:
    for refused in (lambda: describe(wide), lambda: verify_file(wide, quick=True)):
        with pytest.raises(LimitError, match=r"wide\.nvc: .*width"):
            refused()
    assert describe(wide, limits=False)["width"] == 32768
    assert verify_file(wide, quick=True, limits=False).frames == 5
    with open_source(wide, limits=False) as reader:
        assert sum(gop.frames for gop in reader if isinstance(gop, Gop)) == 5
    with pytest.raises(LimitError):
        decode_file(wide, tmp_path / "out.mp4")
    with pytest.raises(ModelError, match="needs model 'tiny'"):  # the limits are not what stops it
        decode_file(wide, tmp_path / "out.mp4", DecodeOptions(limits=False))


def test_the_commands_have_the_option(ncodec: Run, wide: Path, tmp_path: Path) -> None:
    assert ncodec("info", wide).returncode == LimitError.exit_code
    assert "32768x48" in ncodec("info", wide, "--no-limits").stdout
    assert ncodec("verify", "--quick", wide, "--no-limits").returncode == 0
    assert ncodec("decode", wide, tmp_path / "out.mp4", "--no-limits").returncode == ModelError.exit_code


def test_text_from_a_file_cannot_command_the_terminal(ncodec: Run, tmp_path: Path) -> None:
    """Escape sequences and line ends in metadata and chunk types come out as plain text on one line."""
    path = tmp_path / "in.nvc"
    with path.open("wb") as file:
        writer = Writer(file, HEADER, MODEL)
        writer.write_metadata({"title": "a\x1b]0;owned\x07b\nc\x9bd", "ti\rtle": "x"})
        writer.write_gop(gop(0, 5))
        writer.close()
    for arguments in (("info", path), ("info", path, "--json")):
        shown = ncodec(*arguments).stdout
        assert "owned" in shown
        assert all(char.isprintable() or char == "\n" for char in shown)
    assert "a\ufffd]0;owned\ufffdb\ufffdc\ufffdd" in ncodec("info", path).stdout
    path.write_bytes(path.read_bytes().replace(b"MODL", b"\x1b[2J"))
    assert "record \\x1b[2J is damaged" in ncodec("info", path).stderr
