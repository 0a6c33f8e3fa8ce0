"""The training loop: learn, report, validate, save; continue from the last checkpoint if the loss diverges."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from hyperacuity.errors import UsageError, Use
from hyperacuity.task import Stop
from hyperacuity.train import optimisation
from hyperacuity.train.agreement import check_same
from hyperacuity.train.assembly import Assembly, assemble
from hyperacuity.train.card import write_models
from hyperacuity.train.checkpoint import Checkpoints
from hyperacuity.train.divergence import DivergenceWatch
from hyperacuity.train.gathering import gather_data
from hyperacuity.train.objective import Terms
from hyperacuity.train.pairs.stored import PairBatch
from hyperacuity.train.patches import PatchBatch, read_batches
from hyperacuity.train.progress import TrainingProgress
from hyperacuity.train.recipe import Recipe
from hyperacuity.train.state import BestWeights, State

# Steps between readings of the losses from a GPU: each reading waits for all work queued on it.
READ_EVERY = 20


def train(
    recipe: Recipe, folder: Path, *, resume: bool = False, device: str = "auto", stop: Stop | None = None
) -> Generator[TrainingProgress]:
    """Train a model, with a checkpoint at each validation.

    At the end, NAME.safetensors and NAME.onnx hold the weights that validated best, or the last ones of a GAN and with
    losses of appearance; one pair for each scale of a network that has several. A run that was killed at any moment and
    resumed ends with the same weights on the same machine. Under `torchrun`, each process calls this with the same
    arguments and takes its share of each step.

    Args:
        recipe: What to train, see `read_recipe`.
        folder: Where checkpoints and models are written.
        resume: Continue from the newest checkpoint in `folder`, if there is one.
        device: "auto", "cpu", "cuda" or "mps".
        stop: Checked at each step.

    Yields:
        The progress after each step, and while images are decoded before the first, without losses.

    Raises:
        UsageError: If `folder` holds a run and `resume` is false, or a run of another recipe; for what a recipe asks
            that its network cannot do; if the processes of `torchrun` see other recipes, checkpoints or images.
        Stopped: If `stop` was set. The run can be resumed.
    """
    checkpoints = Checkpoints(folder / "checkpoints", recipe.keep)
    if checkpoints.paths() and not resume:
        raise UsageError(f"{folder} already holds a run, and a new one needs another folder", Use(resume=True))
    yield from _Run(assemble(recipe, device), folder, checkpoints, stop or Stop()).train()


class _Run:
    def __init__(self, assembly: Assembly, folder: Path, checkpoints: Checkpoints, stop: Stop) -> None:
        self.assembly, self.recipe, self.fabric = assembly, assembly.recipe, assembly.fabric
        self.folder, self.checkpoints, self.stop = folder, checkpoints, stop
        self.watch = DivergenceWatch(self.recipe.divergence)
        self.step, self.best, self.rate = 0, -math.inf, 0.0
        self._restore()
        check_same(self.fabric, {"the recipes": self.recipe.hash(), "the checkpoints": f"the one of step {self.step}"})
        self.data = gather_data(assembly, folder)

    def train(self) -> Generator[TrainingProgress]:
        assembly, recipe, data = self.assembly, self.recipe, self.data
        for preparing in self.data.load():
            self.stop.check()
            yield replace(self._progress({}, 0.0, None), preparing=preparing)
        if self.step == 0:
            self._save()  # so that there is always one to return to
        while self.step < recipe.steps:
            first, last = self.step * recipe.accumulate, recipe.steps * recipe.accumulate
            yield from self._until_divergence(read_batches(data.batches, first, last, recipe.data.workers))
        self.fabric.barrier()
        if self.fabric.is_global_zero:
            best = self.checkpoints.best() or self._weights(self.best)
            write_models(assembly, best.weights, best.validation, data.fingerprint, self.folder)

    def _until_divergence(self, batches: Generator[PatchBatch | PairBatch]) -> Generator[TrainingProgress]:
        """Take all steps that are left, or those until the loss diverges and the last checkpoint is restored."""
        recipe = self.recipe
        read_every = 1 if self.fabric.device.type == "cpu" else READ_EVERY
        unread: list[Terms] = []
        start, waited = time.perf_counter(), 0.0
        while self.step < recipe.steps:
            self.stop.check()
            asked = time.perf_counter()
            accumulated = [next(batches) for _ in range(recipe.accumulate)]
            waited += time.perf_counter() - asked
            unread.append(self._learn(accumulated))
            validating = self.step % recipe.validate_every == 0 or self.step == recipe.steps
            losses: dict[str, float] = {}
            if validating or self.step % read_every == 0:
                losses, unread = self._read(unread), []
                if self.watch.diverged(self.step, losses):
                    self._rewind(losses)
                    return
            samples, quality = self._validate() if validating else ({}, None)
            waiting = waited / (time.perf_counter() - start)
            yield replace(self._progress(losses, waiting, quality), samples=samples)

    def _learn(self, batches: Sequence[PatchBatch | PairBatch]) -> Terms:
        """Take one step on several batches. Returns the terms of the loss, averaged over them."""
        assembly, recipe, adversary = self.assembly, self.recipe, self.assembly.adversary
        self.rate = self._scheduled(recipe.optimizer.lr)
        pretraining = 0 if recipe.discriminator is None else recipe.discriminator.pretrain_steps
        optimisation.set_rate(assembly.optimizer, self.rate)
        assembly.optimizer.zero_grad()
        averaged: Terms = {}
        results = []
        for n, batch in enumerate(batches):
            examples = assembly.examples.make(batch, self.step * recipe.accumulate + n)
            with self.fabric.no_backward_sync(assembly.network, enabled=n + 1 < len(batches)):
                terms, shown = assembly.objective.terms(examples, self.step)
                if self.step >= pretraining:
                    self.fabric.backward(torch.stack([*terms.values()]).sum() / len(batches))
            results.append(shown)
            for name, term in terms.items():
                averaged[name] = averaged.get(name, 0) + term.detach() / len(batches)
        if self.step >= pretraining:
            optimisation.clip(self.fabric, assembly.network, assembly.optimizer, recipe.optimizer, self.rate)
            assembly.optimizer.step()
            assembly.average.update(first=self.step == pretraining)
        if adversary is not None:
            averaged |= adversary.learn(results, self._scheduled(adversary.settings.optimizer.lr))
        self.step += 1
        return averaged

    def _scheduled(self, highest: float) -> float:
        return self.watch.slowed * optimisation.rate(self.step, self.recipe.steps, highest, self.recipe.schedule)

    def _read(self, unread: list[Terms]) -> dict[str, float]:
        """Average each term over steps and processes."""
        means: Any = unread[0]
        if len(unread) > 1:
            names = dict.fromkeys(name for terms in unread for name in terms)
            means = {name: torch.stack([terms[name] for terms in unread if name in terms]).mean() for name in names}
        if self.fabric.world_size > 1:
            means = self.fabric.all_reduce(means, reduce_op="mean")
        return {name: float(value) for name, value in means.items()}

    def _rewind(self, losses: Mapping[str, float]) -> None:
        self.watch.check_attempts(self.step, losses, self.checkpoints.folder)
        failed, slowed = self.step, self.watch.slowed
        self._restore()
        self.watch.slow_down(slowed, failed, self.step, losses)

    def _validate(self) -> tuple[dict[str, Any], float]:
        """Measure the averaged weights, and save. Returns some results by name, and mean PSNR in dB."""
        value, samples = self.data.validate(self.step)
        # PSNR does not measure what an adversary and losses of appearance are for, and is lowered by them.
        for_looks = self.assembly.adversary is not None or self.assembly.objective.criterion.appearances
        if value >= self.best or for_looks:
            self.best = value
            if self.fabric.is_global_zero:
                self.checkpoints.save_best(self._weights(value))
        self._save()
        return samples, value

    def _weights(self, value: float) -> BestWeights:
        return BestWeights(self.recipe.hash(), self.step, value, self.assembly.average.module.state_dict())

    def _save(self) -> None:
        if self.fabric.is_global_zero:
            counters = (self.step, self.watch.slowed, self.watch.usual, self.best)
            self.checkpoints.save(State(self.recipe.hash(), *counters, **self.assembly.state()))

    def _restore(self) -> None:
        """Restore the newest checkpoint, if there is one."""
        state = self.checkpoints.latest()
        if state is None:
            return
        if state.recipe != self.recipe.hash():
            raise UsageError(f"{self.folder} holds a run of another recipe: use another folder for this one")
        self.assembly.restore(state)
        self.step, self.best = state.step, state.best
        self.watch.slowed, self.watch.usual = state.slowed, state.usual

    def _progress(self, losses: Mapping[str, float], waiting: float, quality: float | None) -> TrainingProgress:
        return TrainingProgress(self.step, self.recipe.steps, losses, self.rate, waiting, quality, self.best)
