"""Base pairs made beside all else on the lent machine (conduct.py); their processes yield to all others."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tools.gpu.conduct import Kit


class Pairs(threading.Thread):
    """Makes base pairs of the parts as they come; `pause` stops it for a while."""

    def __init__(self, kit: Kit) -> None:
        super().__init__(daemon=True)
        self.kit, self.allowed = kit, threading.Event()
        self.allowed.set()
        self.process: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        """One call of stage pairs for all that has come, again when more has."""
        done = 0
        while done < self.kit.parts["parts"]:
            came = len(list(self.kit.folder.glob("took-*")))
            if came == done:
                time.sleep(0.5)
                continue
            self.allowed.wait()
            done = came
            folders = [f"--data={folder}" for folder in sorted((self.kit.folder / "data").glob("*"))]
            jobs = ("--threads", str(self.kit.plan["pairs_jobs"]))
            self.process = self.kit.stage("pairs", *folders, *jobs, settings=self.kit.plan["pairs"], runs=self.kit.runs)
            self.kit.say(f"pairs of {done} of {self.kit.parts['parts']} parts: exit code {self.process.wait()}")

    def pause(self, on: bool) -> None:
        """Stop the processes, or let them go on."""
        if on:
            self.allowed.clear()
        else:
            self.allowed.set()
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGSTOP if on else signal.SIGCONT)
