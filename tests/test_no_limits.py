"""`--no-limits`: what the limits refuse is read when the user says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Run
from container_samples import HEADER, MODEL, gop

from neurcodec.container import Gop, Limits, Writer
from neurcodec.errors import LimitError, ModelError
from neurcodec.pipeline.decoder import decode_file
from neurcodec.pipeline.inspection import describe, open_source, verify_file
from neurcodec.pipeline.options import DecodeOptions


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
