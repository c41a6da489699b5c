"""A two-hour video through encode and decode: python -m tools.lab.long_run [--seconds 7200] [--profile native]

The source is a short scene in a loop at 10 frames/s, with uncompressed sound that takes it above 4 GiB at 7200 s (more
than 2^16 frames). Both commands run as users run them, on a seeded tiny model, are stopped (SIGSTOP) for some seconds
and go on. The resident memory of each is sampled all the time. Then fresh jobs on the same files get Ctrl-C. Prints one
JSON object, "wrong" listing what broke a rule: frames or sound lost, memory that grows by more than 10 %, an answer to
Ctrl-C that takes more than 2 s. The exit code is 1 if there is any. Linux; needs three times the source's size on disk.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from tools.clips import scene

ROOT = Path(__file__).parents[2]
RATE, SIZE, LOOP = 10, (64, 64), 170
SAMPLES = 96000
GROWTH, ANSWER = 0.10, 2.0
STEADY = 600
"""Seconds of video from which on memory is judged: before, the start outweighs it."""
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", "PYTHONPATH": str(ROOT)}


def write_source(path: Path, seconds: int) -> None:
    """A scene of 17 s again and again (FFV1), and as much sound (32-bit PCM, 768 kB/s), the packets coded only once."""
    with av.open(str(path), "w") as out:
        video: Any = out.add_stream("ffv1", rate=RATE)
        video.width, video.height, video.pix_fmt, video.gop_size = *SIZE, "yuv420p", 1
        audio: Any = out.add_stream("pcm_s32le", rate=SAMPLES, layout="stereo")
        pictures = [av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="yuv420p") for rgb in
                    [*scene(LOOP // 2, SIZE), *scene(LOOP - LOOP // 2, SIZE, seed=5)]]  # fmt: skip
        loop = [bytes(packet) for picture in pictures for packet in video.encode(picture)]
        loop += [bytes(packet) for packet in video.encode(None)]
        noise = np.random.default_rng(1).integers(-(2**31), 2**31, SAMPLES * 2, np.int32)
        out.start_encoding()
        for second in range(seconds):
            for number in range(second * RATE, (second + 1) * RATE):
                out.mux(_packet(loop[number % LOOP], video, number, Fraction(1, RATE)))
            block = np.roll(noise, second).tobytes()
            out.mux(_packet(block, audio, second * SAMPLES, Fraction(1, SAMPLES), SAMPLES))


def _packet(data: bytes, stream: Any, time: int, unit: Fraction, duration: int = 1) -> Any:
    packet = av.Packet(data)
    packet.stream, packet.pts, packet.dts, packet.time_base = stream, time, time, unit
    packet.duration, packet.is_keyframe = duration, True
    return packet


def contents(path: Path) -> dict[str, int]:
    """What a media file holds: pictures, bytes of sound, and its own size."""
    found = {"pictures": 0, "sound": 0, "bytes": path.stat().st_size}
    with av.open(str(path)) as file:
        for packet in file.demux():
            if packet.size and packet.stream.type == "video":
                found["pictures"] += 1
            elif packet.size:
                found["sound"] += packet.size
    return found


def memory(pid: int) -> int:
    """Resident memory in KiB; 0 when the process has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")), 0)


def start(*arguments: object) -> subprocess.Popen[str]:
    """The real command, in a process of its own."""
    line = [sys.executable, "-m", "neurcodec", *map(str, arguments), "--threads", "1", "--device", "cpu", "-f"]
    return subprocess.Popen(line, env=ENVIRONMENT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
                            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))  # fmt: skip


def watched(pause_after: float, *arguments: object) -> dict[str, Any]:
    """Run a command to its end, with a pause of 3 s: its time, exit code, and memory over time."""
    began, run, samples, paused = time.monotonic(), start(*arguments), [], False
    while run.poll() is None:
        time.sleep(0.25)
        samples.append(memory(run.pid))
        if not paused and time.monotonic() - began > pause_after:
            run.send_signal(signal.SIGSTOP)
            time.sleep(3)
            run.send_signal(signal.SIGCONT)
            paused = True
    said = run.stderr.read() if run.stderr else ""
    samples = [sample for sample in samples if sample]
    count = len(samples)
    early, late = max(samples[count // 10 : count // 3], default=1), max(samples[count // 3 :], default=1)
    return {
        "code": run.returncode, "said": said[-500:], "seconds": round(time.monotonic() - began), "paused": paused,
        "MiB in the first third, without its start": early >> 10, "MiB after it": late >> 10,
        "growth": round(late / early - 1, 3), "samples": count,
    }  # fmt: skip


def answer(wait: float, target: Path, *arguments: object) -> float:
    """Seconds from Ctrl-C, `wait` seconds after the start, to the end of the command; it must leave nothing behind."""
    run = start(*arguments)
    time.sleep(wait)
    if run.poll() is not None:
        raise SystemExit(f"ended before Ctrl-C: {run.stderr.read() if run.stderr else ''}")
    began = time.monotonic()
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=60)
    took = time.monotonic() - began
    if run.returncode not in (130, -signal.SIGINT) or list(target.parent.glob(f".{target.stem}.*")) or target.exists():
        raise SystemExit(f"Ctrl-C: exit code {run.returncode}, or something is left of {target}")
    return took


def trial(folder: Path, seconds: int, profile: str, interrupts: int, pause: float) -> dict[str, Any]:
    """Everything on one source; what was measured."""
    write = ("import sys; from pathlib import Path; from neurcodec.training.tiny import *\n"
             "write_tiny_model(Path(sys.argv[1]), 1)")  # fmt: skip
    subprocess.run([sys.executable, "-c", write, folder / "model"], check=True, env=ENVIRONMENT)
    source, coded, decoded = folder / "in.mkv", folder / "out.nvc", folder / "rec.mkv"
    write_source(source, seconds)
    model = ("--model", folder / "model")
    encode = ("encode", source, coded, "--profile", profile, *model)
    report: dict[str, Any] = {"profile": profile, "source": contents(source), "encode": watched(pause, *encode)}
    if report["encode"]["code"] == 0:
        report["coded bytes"] = coded.stat().st_size
        report["decode"] = watched(pause, "decode", coded, decoded, *model)
    if decoded.exists():
        report["decoded"] = contents(decoded)
        chance, waits = random.Random(1), []
        for number in range(interrupts):
            target = folder / f"cut{number}.{'nvc' if number % 2 else 'mkv'}"
            job = ("encode", source, target, "--profile", profile) if number % 2 else ("decode", coded, target)
            wait = chance.uniform(5, 30) if seconds >= STEADY else chance.uniform(2, 4)
            waits.append(answer(wait, target, *job, *model))
        report["answers to Ctrl-C, s"] = [round(wait, 2) for wait in waits]
    report["wrong"] = wrong(report, seconds)
    return report


def wrong(report: dict[str, Any], seconds: int) -> list[str]:
    """The rules that were broken."""
    found = []
    for verb in ("encode", "decode"):
        job = report.get(verb, {"code": None, "growth": 0.0})
        if job["code"] != 0:
            found.append(f"{verb}: exit code {job['code']}")
        if seconds >= STEADY and job["growth"] > GROWTH:
            found.append(f"{verb}: memory grows by {job['growth']:.0%}")
    kept = report.get("decoded", {})
    if any(kept.get(name) != report["source"][name] for name in ("pictures", "sound")):
        found.append(f"{kept} decoded of {report['source']}")
    if report["source"]["pictures"] != seconds * RATE:
        found.append("the source has not the frames that it should")
    if max(report.get("answers to Ctrl-C, s", [0.0])) > ANSWER:
        found.append("an answer to Ctrl-C took too long")
    return found


def main() -> int:
    """Run and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=7200)
    parser.add_argument("--profile", choices=["native", "layered"], default="native")
    parser.add_argument("--interrupts", type=int, default=10, help="jobs that get Ctrl-C")
    parser.add_argument("--pause-after", type=float, default=60.0, metavar="S", help="when SIGSTOP comes")
    parser.add_argument("--folder", type=Path, help="where the files go for the time of the run")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ncodec-long-", dir=options.folder) as name:
        report = trial(Path(name), options.seconds, options.profile, options.interrupts, options.pause_after)
    sys.stdout.write(json.dumps(report, indent=2) + "\n")
    return 1 if report["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
