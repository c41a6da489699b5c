"""What the commands say, word for word: usage errors, errors, what is shown of a file, JSON.

The help texts are held by docs/cli.md (test_cli.py). `make docs` writes both again.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from container_samples import HEADER, MODEL, gop

from neurcodec import cli
from neurcodec.container import Writer

SNAPSHOTS = Path(__file__).parent / "snapshots" / "cli.txt"
COMMANDS = """
nothing
help
encdoe a.mp4 b.nvc
text.txt b.nvc
good.nvc b.mp4
. out
-i a.mp4 b.nvc
--none
batch encod
encode
encode -i a.mp4 b.nvc
encode a.mp4 -o b.nvc
encode a.mp4 b.nvc -y
encode a.mp4 b.nvc --crf 23
encode a.mp4 b.nvc -c:v libx265
encode a.mp4 b.nvc -b:v 500k
encode a.mp4 b.nvc --qualty 3
encode a.mp4 b.nvc c.nvc
encode a.mp4 b.mp4
encode good.nvc b.nvc
encode . b.nvc
encode a.mp4
encode a.mp4 b.nvc -q 64
encode a.mp4 b.nvc -q 3 --target-size 5MB
encode a.mp4 b.nvc --target-size five
encode a.mp4 b.nvc --target-kbps 0
encode a.mp4 b.nvc --target-lpips 1.5
encode a.mp4 b.nvc --target-lpips 0.1 --target-ms-ssim 0.9
encode a.mp4 b.nvc --preset turbo
encode a.mp4 b.nvc --engine ray --target-size 5MB
encode a.mp4 b.nvc --threads 0
encode a.mp4 -
encode - b.nvc --resume
encode text.txt text.txt
encode text.txt folder/b.nvc
encode none.mp4 b.nvc
encode text.txt b.nvc
decode good.nvc b.mp4 -c:v libx265
decode good.nvc b.mp4 -ss 10
decode good.nvc b.mp4 --frames 9:3
decode good.nvc b.mp4 --frames 3
decode good.nvc b.mp4 --frames 3:5 --start 1
decode good.nvc b.mp4 --start later
decode good.nvc b.mp4 --format avi
decode good.nvc b.mp4
decode text.txt b.mp4
decode cut.nvc b.mp4
info
info none.nvc
info .
info text.txt
info cut.nvc
info good.nvc
info good.nvc --json
verify good.nvc
verify --quick good.nvc
verify --quick good.nvc --quiet
verify --quick cut.nvc
models path no-such
batch encode
batch encode in -o out
batch encode none --output-dir out
batch encode text.txt --output-dir text.txt
batch decode good.nvc --output-dir out --suffix avi
play good.nvc
play none.nvc --start
""".strip().splitlines()


def outcome(line: str, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> str:
    """A command, its exit code, and what it printed."""
    patch.setattr("sys.argv", ["ncodec", *line.split()])
    code = cli._run()
    printed = capsys.readouterr()
    streams = ((">", printed.out), ("!", printed.err))
    text = "".join(f"{mark} {row}\n" for mark, said in streams for row in said.split("\n")[:-1])
    return f"$ ncodec {line}\n{text}= {code}\n"


def test_what_the_commands_say(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")
    with Path("good.nvc").open("wb") as file:
        writer = Writer(file, HEADER, MODEL)
        writer.write_metadata({"title": "A film"})
        writer.write_gop(gop(0, 5))
        writer.close()
    Path("cut.nvc").write_bytes(Path("good.nvc").read_bytes()[:-30])
    Path("text.txt").write_text("no video")
    said = "\n".join(outcome(line, capsys, monkeypatch) for line in COMMANDS)
    said = re.sub(r"(entropy|weights) hash [0-9a-f]{32}", r"\1 hash HASH", said)
    if "UPDATE_SNAPSHOTS" in os.environ:
        SNAPSHOTS.parent.mkdir(exist_ok=True)
        SNAPSHOTS.write_text(said)
    assert said == SNAPSHOTS.read_text(), "run `make docs`"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut.nvc", "good.nvc", "text.txt"]
