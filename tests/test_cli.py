"""The commands as processes: help, exit codes, overwrite policy, interruption, what is printed where."""

from __future__ import annotations

import hashlib
import json
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ENVIRONMENT, Run, scene, write_clip

from neurcodec import __version__
from neurcodec.container import Reader
from tools.format import make_cli, make_man

ROOT = Path(__file__).parent.parent


def start_up(*arguments: str) -> float:
    """The least processor seconds of three runs (other work on the machine does not count)."""
    times = []
    for _ in range(3):
        start = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "neurcodec", *arguments], capture_output=True, check=True)
        end = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime)
    return min(times)


def test_help_and_version(ncodec: Run) -> None:
    run = ncodec("--help")
    assert run.returncode == 0
    assert {"encode", "decode", "info", "verify", "models"} <= set(re.findall(r"^  (\w+)  ", run.stdout, re.M))
    assert ncodec("--version").stdout == f"ncodec {__version__}\n"
    assert ncodec("encode", "-h").returncode == 0


def test_help_and_info_answer_at_once(coded: Path) -> None:
    assert start_up("--help") < 0.25
    assert start_up("info", str(coded)) < 0.3


@pytest.mark.slow
def test_two_frames_take_three_seconds(tmp_path: Path) -> None:
    """With the installed model."""
    source = write_clip(tmp_path / "in.mp4", scene(2, (640, 360)))
    assert start_up("encode", str(source), str(tmp_path / "out.nvc"), "-f") < 3


def test_the_command_reference_is_current() -> None:
    assert (ROOT / "docs" / "cli.md").read_text() == make_cli.reference(), "run `make docs`"
    assert make_man.PAGE.read_text() == make_man.page(), "run `make docs`"


@pytest.mark.skipif(shutil.which("man") is None, reason="shows the manual page with man")
def test_the_manual_page_is_shown() -> None:
    run = subprocess.run(["man", "--warnings", "-l", make_man.PAGE], capture_output=True, text=True, check=True)
    assert run.stderr == ""
    assert re.search(r"^NAME\n +ncodec - neural video codec", run.stdout, re.M)
    assert re.search(r"^ +ncodec encode \[OPTIONS\] IN OUT\n", run.stdout, re.M)
    assert "--target-kbps KBPS" in run.stdout


def test_info(ncodec: Run, coded: Path) -> None:
    run = ncodec("info", coded, "--json")
    facts = json.loads(run.stdout)
    assert run.returncode == 0
    assert (facts["width"], facts["height"], facts["frames"], facts["frame_rate"]) == (64, 48, 30, 25)
    assert facts["bytes"] == coded.stat().st_size == sum(facts["bytes_by_kind"].values())
    assert facts["bits_per_pixel"] == pytest.approx(facts["bytes"] * 8 / (30 * 64 * 48))
    assert facts["kbps"] == pytest.approx(facts["bytes"] * 8 / 1000 / 1.2)
    assert sum(facts["frame_types"].values()) == 30
    assert facts["chunks"] == facts["frame_types"]["I"] == 3  # 0.5 s, and the cut after 18 frames
    text = ncodec("info", coded).stdout
    assert "64x48, 25 frames/s" in text
    assert f"{facts['bytes']:,}" in text


def test_verify(ncodec: Run, coded: Path, tiny_model: Path) -> None:
    quick = ncodec("verify", "--quick", coded)
    assert (quick.returncode, quick.stderr) == (0, "")
    assert "30 frames in 3 chunks, the structure is right" in quick.stdout
    full = ncodec("verify", coded, "--model", tiny_model)
    assert "all latents decode to what was encoded" in full.stdout
    assert ncodec("verify", "--quick", "--quiet", coded).stdout == ""


def test_models(ncodec: Run, tiny_model: Path, tmp_path: Path) -> None:
    run = ncodec("models", "verify", tiny_model)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("tiny: whole; weights ")
    assert ncodec("models", "path", tiny_model).stdout == f"{tiny_model}\n"
    assert ncodec("models", "list").returncode == 0
    broken = tmp_path / "broken"
    for path in tiny_model.rglob("*.*"):
        copy = broken / path.relative_to(tiny_model)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes()[: 100 if path.suffix == ".safetensors" else None])
    run = ncodec("models", "verify", broken)
    assert run.returncode == 8
    assert run.stderr.count("\n") == 1


def error(run: subprocess.CompletedProcess[str]) -> str:
    """The one line of an error, without its head."""
    lines = run.stderr.splitlines()
    assert len(lines) == 1, run.stderr
    assert lines[0].startswith("ncodec: error: ")
    return lines[0].removeprefix("ncodec: error: ")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["encode", "{tmp}/none.mp4", "{tmp}/out.nvc"], 3, "none.mp4: cannot be read as media"),
        (["encode", "{text}", "{tmp}/out.nvc"], 3, "cannot be read as media"),
        (["encode", "{clip}", "{tmp}/none/out.nvc"], 4, "the folder .*none does not exist; make it first"),
        (["decode", "{coded}", "{coded}", "-f"], 4, "output and input are the same file"),
        (["encode", "{clip}", "{clip}", "-f"], 4, r"what encode writes is no mp4; name it .*clip\.nvc"),
        (["encode", "{coded}", "{tmp}/out.nvc"], 3, "clip.nvc: an .nvc file, so it is encoded already"),
        (["encode", "{clip}", "{text}"], 4, "exists already; -f overwrites it"),
        (["encode", "{clip}", "/dev/null", "-f"], 4, "not a regular file"),
        (["encode", "{clip}", "{tmp}/out.nvc", "--model", "no-such"], 8, "no model 'no-such'"),
        (["encode", "{clip}", "{tmp}/out.nvc", "--model", "{tmp}"], 8, "entropy.safetensors and coarse and generator"),
        (["encode", "{clip}", "{tmp}/out.nvc", "--model", "{model}", "--device", "tpu"], 9, "unknown device 'tpu'"),
        (["encode", "{low}", "{tmp}/out.nvc", "--profile", "layered", "--model", "{model}"], 3, "AV1 cannot code"),
        (["decode", "{coded}", "{tmp}/out.avi", "--model", "{model}"], 4, "out.avi: unknown output format"),
        (["decode", "{coded}", "{tmp}/out.png", "--model", "{model}"], 4, "needs one number pattern"),
        (["decode", "{coded}", "{tmp}/out.mp4", "--model", "{model}", "--video-codec", "x"], 4, "no encoder named"),
        (["decode", "{coded}", "{tmp}/out.mp4", "--model", "{model}", "--video-codec", "aac"], 4, "no video enc"),
        (["decode", "{coded}", "{tmp}/out.mp4"], 8, "the file needs model 'tiny'.*ncodec models add DIR"),
        (["decode", "{clip}", "{tmp}/out.mp4"], 5, "clip.mp4: at byte 0: this is not an .nvc file"),
        (["decode", "{cut}", "{tmp}/out.mp4", "--model", "{model}"], 6, "cut.nvc: at byte.*--salvage keeps"),
        (["verify", "{cut}", "--quick"], 6, "cut.nvc: at byte"),
        (["info", "{tmp}/none.nvc"], 3, "No such file"),
        (["info", "{tmp}"], 3, "Is a directory"),
    ],
)
def test_errors_are_one_line_and_a_code(
    arguments: list[str],
    code: int,
    message: str,
    ncodec: Run,
    clip: Path,
    coded: Path,
    tiny_model: Path,
    tmp_path: Path,
) -> None:
    text, cut = tmp_path / "text.txt", tmp_path / "cut.nvc"
    text.write_text("no video")
    cut.write_bytes(coded.read_bytes()[:1500])
    low = write_clip(tmp_path.parent / "low.mkv", scene(2, (96, 32)))
    places = {"tmp": tmp_path, "low": low, "clip": clip, "coded": coded, "model": tiny_model, "text": text, "cut": cut}
    before = {path: path.read_bytes() for path in (text, cut, clip, coded)}
    run = ncodec(*(argument.format(**places) for argument in arguments))
    assert run.returncode == code, run.stderr
    assert re.search(message, error(run))
    assert sorted(tmp_path.iterdir()) == [cut, text]
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("encode {clip} {tmp}/out.nvc --device tpu", "unknown device 'tpu'"),
        ("encode {clip} {coded}", "exists already"),
        ("encode {clip} {tmp}/out.mkv", "what encode writes is no mkv"),
        ("encode {clip} {tmp}/out.nvc --model none", "no model 'none'"),
        ("decode {coded} {tmp}/out.mp4 --model {model} --device tpu", "unknown device 'tpu'"),
        ("decode {coded} {clip} --model {model}", "exists already"),
        ("decode {coded} {tmp}/out.avi --model {model}", "unknown output format"),
        ("decode {coded} {tmp}/out.png --model {model}", "needs one number pattern"),
        ("decode {coded} {tmp}/out.mp4 --model {model} --video-codec none", "no encoder named none"),
        ("decode {cut} {tmp}/out.mp4 --model {model}", "cut.nvc"),
    ],
)
def test_what_can_be_checked_is_checked_before_torch_loads(
    arguments: str, message: str, ncodec: Run, clip: Path, coded: Path, tiny_model: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    (tmp_path / "torch.py").write_text("raise SystemExit('torch was imported')")
    (tmp_path / "cut.nvc").write_bytes(coded.read_bytes()[:20])
    monkeypatch.setitem(ENVIRONMENT, "PYTHONPATH", f"{tmp_path}:{ROOT}")
    places = {"clip": clip, "coded": coded, "cut": tmp_path / "cut.nvc", "tmp": tmp_path, "model": tiny_model}
    assert message in error(ncodec(*arguments.format(**places).split()))
    assert not list(tmp_path.glob("*out*"))


@pytest.mark.parametrize("arguments", [["encode"], ["encode", "a", "b", "-q", "64"], ["--none"], ["nothing"],
                                       ["encode", "a", "b", "--gop", "nan"],
                                       ["encode", "a", "b", "--target-kbps", "inf"],
                                       ["encode", "a", "b", "--target-lpips", "nan"]])  # fmt: skip
def test_wrong_usage_exits_with_2(arguments: list[str], ncodec: Run) -> None:
    run = ncodec(*arguments)
    assert run.returncode == 2
    assert re.search(r"see `ncodec.* --help`|usage: `ncodec", error(run))


@pytest.mark.skipif(Path("/proc/driver/nvidia/version").exists(), reason="its encoder may be here")
def test_an_encoder_whose_hardware_is_not_here(ncodec: Run, coded: Path, tiny_model: Path, tmp_path: Path) -> None:
    run = ncodec("decode", coded, tmp_path / "out.mp4", "--model", tiny_model, "--video-codec", "h264_nvenc")
    assert run.returncode == 9
    assert re.search("h264_nvenc needs hardware.* --video-codec libx264 works without", error(run))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("stderr", ["2>/dev/full", "2>&-", ">&- 2>&-"])
def test_a_job_does_not_fail_because_nobody_listens(stderr: str, tiny_model: Path, tmp_path: Path) -> None:
    source, target = write_clip(tmp_path / "in.mkv", scene(2, (96, 80))), tmp_path / "out.nvc"
    job = f'"{sys.executable}" -m neurcodec encode "{source}" "{target}" --model "{tiny_model}" --device cpu {stderr}'
    assert subprocess.run(["bash", "-c", job], env=ENVIRONMENT, check=False, timeout=60).returncode == 0
    with target.open("rb") as file:
        assert sum(gop.frames for gop in Reader(file).gops()) == 2


def test_names_with_a_colon(ncodec: Run, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_clip(tmp_path / "12:30.mkv", scene(2, (96, 80)))
    assert ncodec("encode", "12:30.mkv", "12:30.nvc", "--model", tiny_model).returncode == 0
    assert ncodec("decode", "12:30.nvc", "12:31.mkv", "--model", tiny_model).returncode == 0
    assert (tmp_path / "12:31.mkv").exists()


def test_overwriting_needs_force(ncodec: Run, clip: Path, tiny_model: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.nvc"
    target.write_bytes(b"old")
    assert ncodec("encode", clip, target, "--model", tiny_model).returncode == 4
    assert target.read_bytes() == b"old"
    run = ncodec("encode", clip, target, "--model", tiny_model, "-f", "--quiet")
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    assert ncodec("verify", target, "--model", tiny_model).returncode == 0
    assert list(tmp_path.iterdir()) == [target]


def test_encoding_twice_gives_the_same_bytes(
    ncodec: Run, clip: Path, coded: Path, tiny_model: Path, tmp_path: Path
) -> None:
    run = ncodec(
        "encode", clip, tmp_path / "out.nvc", "--model", tiny_model, "--gop", "0.5", "--threads", 2, "--bitexact"
    )
    assert run.returncode == 0, run.stderr
    assert hashlib.sha256((tmp_path / "out.nvc").read_bytes()).digest() == hashlib.sha256(coded.read_bytes()).digest()


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Long enough to be interrupted."""
    return write_clip(tmp_path_factory.mktemp("long") / "long.mp4", scene(300, (160, 96)))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interruption_leaves_nothing(number: signal.Signals, long_clip: Path, tiny_model: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.nvc"
    target.write_bytes(b"old")
    command = [sys.executable, "-m", "neurcodec", "encode", long_clip, target, "-f", "--model", tiny_model]
    with subprocess.Popen([*command, "--gop", "0.4"], stderr=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
        deadline = time.monotonic() + 60
        while not any(path.stat().st_size > 2000 for path in tmp_path.glob(".out.*")):
            assert process.poll() is None, "it ended before it could be interrupted"
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(number)
        start = time.monotonic()
        _, stderr = process.communicate(timeout=30)
        assert time.monotonic() - start < 2
    assert process.returncode == 130
    assert stderr.splitlines()[-1] == "ncodec: error: interrupted"
    assert "Traceback" not in stderr
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("job", ["encode", "decode"])
def test_a_full_disk_is_an_output_error(job: str, clip: Path, coded: Path, tiny_model: Path, tmp_path: Path) -> None:
    places = [clip, tmp_path / "out.nvc"] if job == "encode" else [coded, tmp_path / "out.mp4"]
    environment = {name: value for name, value in ENVIRONMENT.items() if not name.startswith("COVERAGE")}
    run = subprocess.run(
        [sys.executable, "-m", "neurcodec", job, *places, "--model", tiny_model, "--quiet"],
        capture_output=True, text=True, env=environment, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000)),
    )  # fmt: skip
    assert run.returncode == 4, run.stderr
    assert re.match(rf"{re.escape(str(places[1]))}: ", error(run))
    assert list(tmp_path.iterdir()) == []
