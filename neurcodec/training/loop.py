"""The training loop that every stage shares: EMA, clipping, non-finite steps skipped, checkpoints, resume, a log.

A stage gives a model and a function from a step number to a loss; the run folder holds
`checkpoint-STEP.safetensors` and `checkpoint.json` (everything to go on from) and `log.jsonl` (one line per report).
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

logger = logging.getLogger(__name__)

Loss = Callable[[int], tuple[Tensor, Mapping[str, float]]]
Check = Callable[[], Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast: the rate warms up over 200 steps and falls linearly to 3 % in the last `decay` part.

    minutes: wall-clock limit of this call; the run resumes later. checkpoint_minutes: between checkpoints. by_clock:
    the rate falls in the last `decay` part of the minutes instead, for a run whose speed is not known.
    """

    steps: int
    learning_rate: float
    decay: float = 0.4
    minutes: float = 1e9
    checkpoint_minutes: float = 2.0
    clip: float = 1.0
    ema: float = 0.999
    by_clock: bool = False

    def rate(self, step: int, spent: float = 0.0) -> float:
        """The learning rate at a step; spent: the part of the minutes that is over."""
        left = (self.steps - step) / max(1.0, self.steps * self.decay)
        if self.by_clock:
            left = (1 - spent) / max(1e-9, self.decay)
        return self.learning_rate * min(1.0, (step + 1) / 200, max(0.03, left))

    def spent(self, seconds: float) -> float:
        """The part of the minutes that so many seconds are."""
        return seconds / max(1e-9, 60 * self.minutes)


class Trainer:
    """Trains one model into one run folder. `ema` holds the averaged weights, which are the ones to export.

    peak_seconds: what a step would take at the device's peak of arithmetic; 0 where that is not known.
    """

    def __init__(self, model: nn.Module, folder: Path, schedule: Schedule) -> None:
        self.model, self.folder, self.schedule = model, folder, schedule
        folder.mkdir(parents=True, exist_ok=True)
        self.parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self.optimizer = torch.optim.AdamW(self.parameters.values(), lr=1e-4, betas=(0.9, 0.99), weight_decay=1e-4)
        self.ema = {name: p.detach().clone() for name, p in self.parameters.items()}
        self.step = self.skipped = 0
        self.peak_seconds = 0.0

    def resume(self) -> bool:
        """Go on from the folder's checkpoint if it has one; tell whether it had."""
        if not (self.folder / "checkpoint.json").exists():
            return False
        note = json.loads((self.folder / "checkpoint.json").read_text())
        tensors = load_file(self.folder / f"checkpoint-{note['step']}.safetensors")
        self.step, self.skipped = note["step"], note["skipped"]
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                if f"model.{name}" not in tensors or tensors[f"model.{name}"].shape != parameter.shape:
                    continue
                parameter.copy_(tensors[f"model.{name}"])
                self.ema[name].copy_(tensors[f"ema.{name}"])
                if f"mean.{name}" in tensors:
                    self.optimizer.state[parameter] = {
                        "step": torch.tensor(float(self.step)),
                        "exp_avg": tensors[f"mean.{name}"].to(parameter.device),
                        "exp_avg_sq": tensors[f"square.{name}"].to(parameter.device),
                    }
        return True

    def save(self) -> None:
        """Write the checkpoint; the one before is removed when the new one is whole."""
        tensors = {}
        for name, parameter in self.parameters.items():
            tensors[f"model.{name}"], tensors[f"ema.{name}"] = parameter.detach(), self.ema[name]
            state = self.optimizer.state.get(parameter)
            if state:
                tensors[f"mean.{name}"], tensors[f"square.{name}"] = state["exp_avg"], state["exp_avg_sq"]
        file = self.folder / f"checkpoint-{self.step}.safetensors"
        save_file({name: tensor.cpu().contiguous() for name, tensor in tensors.items()}, file)
        temporary = self.folder / "checkpoint.json.tmp"
        temporary.write_text(json.dumps({"step": self.step, "skipped": self.skipped}))
        temporary.replace(self.folder / "checkpoint.json")
        for old in self.folder.glob("checkpoint-*.safetensors"):
            if old != file:
                old.unlink()

    def run(self, loss: Loss, report_every: int = 100, check: Check | None = None, check_every: int = 1000) -> None:
        """Train until the schedule's steps or minutes are over, or until it is interrupted; then write a checkpoint.

        check: measures the averaged weights, before the first step and every `check_every` steps (`checks.jsonl`).
        """

        def look() -> None:
            if check is not None:
                with self.averaged():
                    self.note("checks.jsonl", {"step": self.step, **check()})

        try:
            if self.step == 0:
                look()
            self.steps(loss, report_every, look, check_every)
        except KeyboardInterrupt:
            self.save()
            raise
        self.save()

    def note(self, file: str, line: Mapping[str, float]) -> None:
        """Add a line to a log of the run."""
        with (self.folder / file).open("a") as log:
            log.write(json.dumps(line) + "\n")

    def steps(self, loss: Loss, report_every: int, look: Callable[[], None], look_every: int) -> None:
        """The steps of `run`, with a line in the log every `report_every` of them and a checkpoint now and then."""
        started = reported = saved = time.monotonic()
        sums: dict[str, float] = {}
        while self.step < self.schedule.steps and (spent := self.schedule.spent(time.monotonic() - started)) < 1:
            terms = self.update(loss, spent)
            for name, value in terms.items():
                sums[name] = sums.get(name, 0.0) + value
            if self.step % report_every == 0:
                now = time.monotonic()
                seconds = (now - reported) / report_every
                line = {name: round(value / report_every, 5) for name, value in sums.items()}
                line |= {
                    "step": self.step,
                    "seconds": round(seconds, 3),
                    "skipped": self.skipped,
                }
                if self.peak_seconds:
                    line["of_peak"] = round(self.peak_seconds / seconds, 4)
                self.note("log.jsonl", line)
                shown = ", ".join(f"{name} {line[name]:g}" for name in sums)
                logger.info("step %d of %d, %.2f s a step: %s", self.step, self.schedule.steps, seconds, shown)
                sums, reported = {}, now
            if self.step % look_every == 0:
                look()
            if time.monotonic() - saved > 60 * self.schedule.checkpoint_minutes:
                self.save()
                saved = time.monotonic()

    def update(self, loss: Loss, spent: float) -> Mapping[str, float]:
        """One optimizer step; skipped when the loss or the gradient is not finite. spent: see `Schedule.rate`."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.schedule.rate(self.step, spent)
        value, terms = loss(self.step)
        self.optimizer.zero_grad(set_to_none=True)
        value.backward()
        norm = nn.utils.clip_grad_norm_(self.parameters.values(), self.schedule.clip)
        self.step += 1
        if not (math.isfinite(float(value.detach())) and math.isfinite(float(norm))):
            self.skipped += 1
            return {}
        self.optimizer.step()
        decay = min(self.schedule.ema, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.ema.values()), list(self.parameters.values()), 1 - decay)
        return {**terms, "grad": float(norm)}

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """The model with the averaged weights."""
        kept = {name: parameter.detach().clone() for name, parameter in self.parameters.items()}
        self.load_ema()
        yield
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(kept[name])

    def load_ema(self) -> None:
        """Put the averaged weights into the model, for export or evaluation."""
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(self.ema[name])
