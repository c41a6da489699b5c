"""A folder as people have them, through `ncodec batch`; `python -m tools.lab.batch_folder` puts it into docs/batch.md.

Thirty videos of twelve kinds, two of them broken and two of one name, among other files; a Ctrl-C on the way, the same
command again, and once more with another quality.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import cast

import av

from tools.clips import Picture, scene

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "batch.md"
KINDS = {
    "mp4": ("libx264", "yuv420p"),
    "mov": ("libx264", "yuv420p"),
    "mkv": ("ffv1", "yuv420p"),
    "avi": ("mpeg4", "yuv420p"),
    "mpg": ("mpeg1video", "yuv420p"),
    "vob": ("mpeg2video", "yuv420p"),
    "m2ts": ("mpeg2video", "yuv420p"),
    "webm": ("libvpx-vp9", "yuv420p"),
    "wmv": ("wmv2", "yuv420p"),
    "flv": ("flv", "yuv420p"),
    "3gp": ("mpeg4", "yuv420p"),
    "mxf": ("mpeg2video", "yuv422p"),
}
"""Suffixes, with an encoder and a pixel format for each."""
TREE = (
    *(f"2024-07 Lake/{name}" for name in ("IMG_0412.MOV", "IMG_0413.MOV", "IMG_0415.MOV", "VID_20240711_101500.3gp")),
    *(f"2024-07 Lake/boat/{name}" for name in ("MVI_2201.avi", "MVI_2202.avi", "1.mp4", "2.mp4", "3.mp4")),
    *(f"camcorder/{number:05d}.m2ts" for number in range(6)),
    *(f"dvd/VTS_01_{number}.VOB" for number in range(1, 4)),
    "old/tape.avi", "old/tape.mpg", "old/wedding.wmv", "old/first steps.wmv", "old/phone.3gp",
    "web/talk.webm", "web/interview.flv", "web/lecture.mkv", "web/broken.mp4", "web/news.mxf",
    "party.mkv", "cut off.mov",
)  # fmt: skip
BROKEN = ("web/broken.mp4", "cut off.mov")
SHOWN = 4
"""Lines of a kind that the transcript shows."""
OTHERS = ("2024-07 Lake/IMG_0414.JPG", "2024-07 Lake/IMG_0416.JPG", "dvd/VIDEO_TS.IFO", "old/notes.txt")


def write_folder(root: Path, frames: int, size: tuple[int, int]) -> Path:
    """Make the folder; the videos have so many frames of this width and height, sides being even."""
    films: dict[str, bytes] = {}
    for number, name in enumerate(TREE):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        suffix = path.suffix[1:].lower()
        if suffix not in films:
            write_film(path, suffix, scene(frames, size, seed=number))
            films[suffix] = path.read_bytes()
        broken = films[suffix][: len(films[suffix]) // 3] if suffix == "mov" else b"not a film" * 99
        path.write_bytes(broken if name in BROKEN else films[suffix])
    for name in OTHERS:
        (root / name).write_bytes(b"something else")
    return root


def write_film(path: Path, suffix: str, pictures: Sequence[Picture]) -> None:
    """A video of one of KINDS."""
    codec, layout = KINDS[suffix]
    with av.open(str(path), "w") as container:
        stream = cast(av.VideoStream, container.add_stream(codec, rate=25))
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = layout
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=layout)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def interrupted(command: Sequence[str], folder: Path, done: int) -> subprocess.CompletedProcess[str]:
    """Run a command in a session of its own, and send it and its children SIGINT when so many .nvc files are there."""
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            command, cwd=folder, stdout=said, stderr=said, start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # background jobs ignore it
        )  # fmt: skip
        deadline = time.monotonic() + 600
        while len(list(folder.rglob("[!.]*.nvc"))) < done and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGINT)
        code = process.wait()
        said.seek(0)
        return subprocess.CompletedProcess(list(command), code, said.read(), "")


def transcript(folder: Path, options: Sequence[str]) -> str:
    """What is typed and shown; options: that are given and not shown."""
    program = [sys.executable, "-m", "neurcodec", "batch", "encode"]
    typed = ["holiday", "--output-dir", "coded", "--jobs", "2"]
    lines = []
    for number, (extra, comment) in enumerate(
        (([], "Ctrl-C after some files"), ([], "the same again"), (["-q", "21"], "with another quality"))
    ):
        command = [*program, *typed, *extra, *options]
        if number == 0:
            run = interrupted(command, folder, 7)
        else:
            run = subprocess.run(
                command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
            )
        lines.append(f"    $ ncodec batch encode {' '.join([*typed, *extra])}    # {comment}")
        lines += [f"    {line}" for line in shortened(run.stdout.splitlines())]
        lines.append(f"    (exit code {run.returncode})\n")
    return "\n".join(lines).rstrip()


def shortened(lines: Sequence[str]) -> Iterator[str]:
    """Lines without warnings, and of many that begin with the same word only the first."""
    told = [line for line in lines if line and not line.startswith("warning")]
    for word, group in groupby(told, lambda line: line.split()[0]):
        alike = list(group)
        yield from alike[:SHOWN]
        if len(alike) > SHOWN:
            yield f"{word:<9}... {len(alike) - SHOWN} more"


def main() -> None:
    """Write the transcript into the page."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("options", nargs="*", help="options for encode that are not shown, behind --")
    options = parser.parse_args().options
    with tempfile.TemporaryDirectory() as place:
        write_folder(Path(place, "holiday"), 50, (320, 240))
        text = transcript(Path(place), options)
    mark = "<!-- transcript -->\n"
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(
        re.sub(rf"{mark}.*?{mark}", lambda _: f"{mark}\n{text}\n\n{mark}", page, flags=re.S), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
