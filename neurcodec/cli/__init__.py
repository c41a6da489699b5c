"""The `ncodec` command: argument handling and printing, one file per command.

Every module of this package whose name does not start with an underscore is a command: the module's name is the
command's, and its attribute `command` is the click command. Such a module imports nothing heavy (torch, av, numpy)
at its top, so that `ncodec --help` answers at once.
"""

from __future__ import annotations

import atexit
import importlib
import os
import pkgutil
import signal
import sys
import threading
from contextlib import suppress
from types import FrameType
from typing import Any, TextIO

import click

from neurcodec import __version__
from neurcodec.cli._help import GroupedCommands
from neurcodec.cli._text import plain
from neurcodec.cli._usage import one_line
from neurcodec.errors import INTERRUPTED, NcodecError, OutputError
from neurcodec.jobs import memory

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]

_interrupted = False


class _Commands(GroupedCommands):
    """A group that imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command = importlib.import_module(f"{__name__}.{cmd_name}").command
        return command if isinstance(command, click.Command) else None


@click.command(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Exit codes: 0 done, 1 other error, 2 wrong usage, 3 input, 4 output, 5 format, 6 damage, 7 limit, 8 model, "
    "9 device, 10 missing dependency, 11 partly done, 12 target out of reach, 130 interrupted.",
)
@click.version_option(__version__, prog_name="ncodec", message="%(prog)s %(version)s")
def group() -> None:
    """Neural video codec for very low bitrates.

    \b
    ncodec encode in.mp4 out.nvc       code a video
    ncodec decode out.nvc rec.mp4      turn it back
    ncodec info out.nvc                what is in a file
    """


def _interrupt(number: int, frame: FrameType | None) -> None:
    """End the job once; further signals do not disturb the cleaning up."""
    global _interrupted
    _interrupted = True
    _ignore_signals()
    raise KeyboardInterrupt


def _ignore_signals() -> None:
    for known in _SIGNALS:
        signal.signal(known, signal.SIG_IGN)


class _Messages:
    """Standard error: a job does not fail because nobody can be told of it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, if that is possible."""
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Write what waits, if that is possible."""
        with suppress(OSError):
            self._stream.flush()


def main() -> None:
    """Run `ncodec` with the process's arguments and exit with the code of neurcodec/errors.py."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch loads: idle threads must not spin (0025)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed; its number must not become an output's
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    sys.stderr = _Messages(sys.stderr)
    for known in _SIGNALS:
        if signal.getsignal(known) is not signal.SIG_IGN:  # nohup and background jobs of a shell ignore some
            signal.signal(known, _interrupt)
    memory.keep()
    try:
        code = _run()
        _ignore_signals()
    except KeyboardInterrupt:  # between these two
        code = INTERRUPTED
    if code != INTERRUPTED:  # else threads that are still in native code are not waited for
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(code)  # all that `sys.exit` does but to take torch's modules apart, which takes a second


def _run() -> int:
    try:
        code = group.main(prog_name="ncodec", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        return _fail(one_line(error), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        return _fail("interrupted", INTERRUPTED)
    except NcodecError as error:
        if _interrupted:  # native code may make another error of it
            return _fail("interrupted", INTERRUPTED)
        return _fail(" ".join(str(error).split()), error.exit_code)
    except BrokenPipeError:  # the reader of our standard output went away, as in `ncodec info FILE | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OutputError.exit_code
    except OSError as error:
        place = f": {os.fsdecode(error.filename)}" if error.filename else ""
        return _fail(f"{error.strerror or error}{place}", OutputError.exit_code)
    return code if isinstance(code, int) else 0


def _fail(message: str, code: int) -> int:
    click.echo(f"ncodec: error: {plain(message)}", err=True)
    return code
