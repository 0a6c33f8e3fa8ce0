"""The training loop. It yields its progress; whoever called it shows that and may stop at any step."""

from __future__ import annotations

import math
import os
import time
import warnings
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import Tensor, nn

from hyperacuity import datasets, export
from hyperacuity.errors import HyperacuityWarning, UsageError
from hyperacuity.networks import as_network, build
from hyperacuity.networks.discriminators import DISCRIMINATORS
from hyperacuity.train import data, optimisation, start, validation
from hyperacuity.train.checkpoint import Checkpoints
from hyperacuity.train.data import Batch, Cut, Patches
from hyperacuity.train.degrade import Bicubic, degrade, enlarge, inner, truth
from hyperacuity.train.losses import Criterion
from hyperacuity.train.objectives import Adversary, Objective, Terms
from hyperacuity.train.progress import Progress
from hyperacuity.train.recipe import Recipe
from hyperacuity.zoo import Card

PRECISIONS: Mapping[str, Any] = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}
# LR pixels beyond a patch that its enlargement by bicubic reads.
ENLARGED_FROM = 2
# Before so many steps, a loss may be any multiple of what it was.
SETTLED = 100
# Losses are read from a GPU so often: each reading waits until it has computed all that was asked of it.
TOLD_EVERY = 20


class TroubleWarning(HyperacuityWarning):
    """The loss was not finite or exploded; the training went back to its last checkpoint."""


def train(recipe: Recipe, folder: Path, *, resume: bool = False, device: str = "auto") -> Generator[Progress]:
    """Train `recipe` into `folder`: a checkpoint at each validation, and at the end NAME.safetensors and NAME.onnx with
    the weights that validated best, or against a discriminator the last; one pair for each scale of a network that has
    several.

    Killed at any moment and resumed, it ends with the same weights on the same machine. Under `torchrun`, each process
    calls this with the same arguments and takes its share of each step. device: "auto", "cpu", "cuda", "mps".

    Raises `UsageError` when `folder` holds a training and `resume` is false, or one of another recipe, and for what a
    recipe asks that its network cannot do.
    """
    training = _Training(recipe, folder, resume, device)
    yield from training.run()
    training.finish()


class _Training:
    def __init__(self, recipe: Recipe, folder: Path, resume: bool, device: str) -> None:
        self.recipe, self.folder = recipe, folder
        self.checkpoints = Checkpoints(folder / "checkpoints", recipe.keep)
        if self.checkpoints.steps() and not resume:
            raise UsageError(
                f"{folder} already holds a training: add --resume to go on with it, or take another folder"
            )

        torch.manual_seed(recipe.seed)
        self.plain = build(recipe.model.architecture, recipe.model.config)
        self.scales = _scales(recipe, self.plain)
        if recipe.model.start:
            start.begin_from(self.plain, recipe.model.start, recipe.model.fresh)
        self.enlarged = as_network(self.plain).scale == 1
        _check(recipe, self.plain, self.scales, self.enlarged)
        self.fabric = fabric = _fabric(recipe, device, several=len(self.scales) > 1 and not self.enlarged)
        self.plain.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in PyTorch's stubs
        compiled = recipe.compile and fabric.device.type == "cuda"
        network: Any = torch.compile(self.plain) if compiled else self.plain
        self.network, self.optimizer = fabric.setup(network, optimisation.build(self.plain, recipe.optimizer))
        if recipe.variational is not None:
            self.network.mark_forward_method("elbo_terms")
        self.average = optimisation.Average(self.plain, recipe.optimizer.ema)
        told = as_network(self.plain)
        self.adversary = (
            None
            if recipe.discriminator is None
            else Adversary(fabric, recipe.discriminator, told.channels, recipe.data.patch * told.scale)
        )
        teacher = None
        if recipe.teacher is not None:
            teacher = (_fitting_teacher(recipe.teacher.model, self.plain).to(fabric.device), recipe.teacher)
        criterion = Criterion(recipe.losses).to(fabric.device)
        self.objective = Objective(self.network, criterion, recipe.variational, teacher, self.adversary)

        # What changes from step to step; all of it is in the checkpoints.
        self.step, self.slowed, self.usual = 0, 1.0, math.nan
        self.best = -math.inf
        self.rewound, self.rate = 0, 0.0
        self._restore()

    def run(self) -> Generator[Progress]:
        recipe, world = self.recipe, self.fabric.world_size
        files = data.sources(recipe.data.train, recipe.data.lr, recipe.data.rescale)
        if recipe.data.validation:
            unseen = data.sources(recipe.data.validation, recipe.data.validation_lr, (1.0,))
        else:
            unseen = data.set_aside(files)
            aside = {source.hr for source in unseen}
            files = [source for source in files if source.hr not in aside]
        measured = [unseen, *(validation.reported(folder) for folder in recipe.data.reports)]
        for pictures in measured:  # that none fails at the end
            validation.check_measurable(pictures, self.scales)
        channels = as_network(self.plain).channels
        self.fingerprint = datasets.fingerprint(dict.fromkeys(source.hr for source in files))
        patches = Patches(
            files,
            cuts=[self._cut(scale) for scale in self.scales],
            channels=channels,
            batch=recipe.data.batch,
            seed=recipe.seed,
            hardest_of=recipe.data.hardest_of,
            rank=self.fabric.global_rank,
            world=world,
        )
        for _ in patches.load():
            yield self._progress({}, 0.0, None)
        own = unseen[self.fabric.global_rank :: world]
        self.unseen = [
            picture
            for scale in self.scales
            for picture in validation.held_out(own, scale, channels, recipe.degradation)
        ]
        if self.step == 0:
            self._save()  # so that there is always one to go back to
        while self.step < recipe.steps:
            yield from self._until_trouble(patches)

    def _until_trouble(self, patches: Patches) -> Generator[Progress]:
        """All steps that are left, or those up to where the loss exploded and the last checkpoint was taken again."""
        recipe = self.recipe
        batches = data.batches(
            patches, self.step * recipe.accumulate, recipe.steps * recipe.accumulate, recipe.data.workers
        )
        told_every = 1 if self.fabric.device.type == "cpu" else TOLD_EVERY
        kept: list[Terms] = []
        began, waited = time.perf_counter(), 0.0
        while self.step < recipe.steps:
            asked = time.perf_counter()
            several = [next(batches) for _ in range(recipe.accumulate)]
            waited += time.perf_counter() - asked
            kept.append(self._one_step(several))
            validating = self.step % recipe.validate_every == 0 or self.step == recipe.steps
            losses: dict[str, float] = {}
            if validating or self.step % told_every == 0:
                losses, kept = self._read(kept), []
                if self._in_trouble(losses):
                    self._rewind(losses)
                    return
            samples, quality = self._validate() if validating else ({}, None)
            waiting = waited / (time.perf_counter() - began)
            yield replace(self._progress(losses, waiting, quality), samples=samples)

    def _one_step(self, batches: Sequence[Batch]) -> Terms:
        """Learn from the batches of one step; the terms of the loss, summed over them."""
        recipe, rate = self.recipe, self._rate(self.recipe.optimizer.lr)
        self.rate = rate
        alone = recipe.discriminator is not None and self.step < recipe.discriminator.alone
        optimisation.set_rate(self.optimizer, rate)
        self.optimizer.zero_grad()
        summed: Terms = {}
        fakes = []
        for n, batch in enumerate(batches):
            x, hr, lr, generator = self._prepared(batch, self.step * recipe.accumulate + n)
            with self.fabric.no_backward_sync(self.network, enabled=n + 1 < len(batches)):
                terms, sr = self.objective.terms(x, hr, lr, self.step, generator)
                if not alone:
                    self.fabric.backward(torch.stack([*terms.values()]).sum() / len(batches))
            fakes.append((sr, hr))
            for name, term in terms.items():
                summed[name] = summed.get(name, 0) + term.detach() / len(batches)
        if not alone:
            optimisation.clip(self.fabric, self.network, self.optimizer, recipe.optimizer, rate)
            self.optimizer.step()
            self.average.update(first=self.step == (0 if recipe.discriminator is None else recipe.discriminator.alone))
        if self.adversary is not None:
            summed |= self.adversary.learn(fakes, self._rate(self.adversary.how.optimizer.lr))
        self.step += 1
        return summed

    def _rate(self, highest: float) -> float:
        return self.slowed * optimisation.rate(self.step, self.recipe.steps, highest, self.recipe.schedule)

    def _cut(self, scale: int) -> Cut:
        patch = self.recipe.data.patch
        if self.recipe.data.lr:
            return Cut(scale, patch if self.enlarged else patch * scale)
        margin = self.recipe.degradation.margin(scale) + (ENLARGED_FROM if self.enlarged else 0)
        lr = -(-patch // scale) if self.enlarged else patch
        return Cut(scale, (lr + 2 * margin) * scale, margin * scale)

    def _prepared(self, batch: Batch, number: int) -> tuple[Tensor, Tensor, Tensor, torch.Generator]:
        """On the device: what the network gets, HR, and the LR behind it; and where this batch's noise comes from."""
        seed = np.random.SeedSequence([self.recipe.seed, number, self.fabric.global_rank])
        generator = torch.Generator(self.fabric.device).manual_seed(int(seed.generate_state(1, np.uint64)[0] >> 1))
        batch = batch.on(self.fabric.device)
        how, scale = self.recipe.degradation, batch.cut.scale
        if batch.lr is None:
            lr, hr = degrade(batch.hr, scale, how, generator), truth(batch.hr, how, batch.cut.margin)
        else:
            lr, hr = batch.lr.float() / 255, batch.hr.float() / 255
        if not self.enlarged:
            as_network(self.plain).scale = scale
            lr = inner(lr, batch.cut.margin // scale)
            return lr, hr, lr, generator
        patch, edge = self.recipe.data.patch, batch.cut.margin
        x = enlarge(lr, scale)[..., edge : edge + patch, edge : edge + patch]
        return x, hr[..., :patch, :patch], lr, generator

    def _read(self, kept: list[Terms]) -> dict[str, float]:
        """Each term, averaged over steps and processes."""
        means: Any = kept[0]
        if len(kept) > 1:
            names = dict.fromkeys(name for terms in kept for name in terms)
            means = {name: torch.stack([terms[name] for terms in kept if name in terms]).mean() for name in names}
        if self.fabric.world_size > 1:
            means = self.fabric.all_reduce(means, reduce_op="mean")
        return {name: float(value) for name, value in means.items()}

    def _in_trouble(self, losses: Mapping[str, float]) -> bool:
        if not all(math.isfinite(value) for value in losses.values()):
            return True
        # An adversary's loss may jump, and is no measure of how near the pictures are.
        total = sum(value for name, value in losses.items() if name not in ("adversary", "discriminator"))
        if self.step > SETTLED and total > self.recipe.trouble.explosion * self.usual:
            return True
        self.usual = total if math.isnan(self.usual) else 0.99 * self.usual + 0.01 * total
        return False

    def _rewind(self, losses: Mapping[str, float]) -> None:
        how, said = self.recipe.trouble, ", ".join(f"{name} {value:.3g}" for name, value in losses.items())
        if how.action == "stop" or self.rewound == how.attempts:
            raise UsageError(
                f"the loss exploded at step {self.step} ({said}): lower optimizer.lr, or set optimizer.clip_norm; "
                f"the checkpoint of before is in {self.checkpoints.folder}"
            )
        failed, slowed = self.step, self.slowed * how.factor
        self.rewound += 1
        self._restore()
        self.slowed = slowed
        warnings.warn(
            f"the loss exploded at step {failed} ({said}): back to step {self.step}, with {slowed:g} times the rate",
            TroubleWarning,
            stacklevel=2,
        )

    def _validate(self) -> tuple[dict[str, Any], float]:
        network = self.average.module
        measured = [validation.quality(network, picture, self.fabric.device) for picture in self.unseen]
        sums: Any = torch.tensor([sum(value for value, _ in measured), len(measured)], dtype=torch.float64)
        if self.fabric.world_size > 1:
            sums = self.fabric.all_reduce(sums.to(self.fabric.device), reduce_op="sum")
        value = float(sums[0] / sums[1])
        # An adversary is there for what PSNR does not see, and lowers it: the last weights are the ones that it made.
        if value >= self.best or self.adversary is not None:
            self.best = value
            if self.fabric.is_global_zero:
                self.checkpoints.save_best(
                    {"recipe": self.recipe.hash(), "step": self.step, "validation": value, "weights": self._averaged()}
                )
        self._save()
        samples = {f"{one.name} x{one.scale}": result for one, (_, result) in zip(self.unseen, measured, strict=True)}
        return dict(list(samples.items())[:4]), value

    def _averaged(self) -> dict[str, Tensor]:
        return self.average.module.state_dict()

    def _save(self) -> None:
        if self.fabric.is_global_zero:
            self.checkpoints.save(self._state())
        self.fabric.barrier()  # so that all go back to the same one

    def _state(self) -> dict[str, Any]:
        state = {
            "recipe": self.recipe.hash(),
            "step": self.step,
            "slowed": self.slowed,
            "usual": self.usual,
            "best": self.best,
            "network": self.plain.state_dict(),
            "average": self.average.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "precision": self.fabric.strategy.precision.state_dict(),  # what fp16 multiplies its gradients by
        }
        if self.adversary is not None:
            state["discriminator"] = self.adversary.plain.state_dict()
            state["discriminator_optimizer"] = self.adversary.optimizer.state_dict()
        return state

    def _restore(self) -> None:
        """Take up the newest checkpoint, if there is one."""
        state = self.checkpoints.latest()
        if state is None:
            return
        if state["recipe"] != self.recipe.hash():
            raise UsageError(f"{self.folder} holds a training of another recipe: take another folder for this one")
        self.plain.load_state_dict(state["network"])
        self.average.module.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        if state.get("precision"):
            self.fabric.strategy.precision.load_state_dict(state["precision"])
        if self.adversary is not None:
            self.adversary.plain.load_state_dict(state["discriminator"])
            self.adversary.optimizer.load_state_dict(state["discriminator_optimizer"])
        self.step, self.slowed, self.usual, self.best = (state[key] for key in ("step", "slowed", "usual", "best"))

    def _progress(self, losses: Mapping[str, float], waiting: float, quality: float | None) -> Progress:
        return Progress(self.step, self.recipe.steps, losses, self.rate, waiting, quality, self.best)

    def finish(self) -> None:
        """Write the model, or one for each scale, with the weights of best.pt."""
        self.fabric.barrier()
        if not self.fabric.is_global_zero:
            return
        best = self.checkpoints.best() or {"weights": self._averaged(), "validation": self.best}
        network = build(self.recipe.model.architecture, self.recipe.model.config)
        network.load_state_dict(best["weights"])
        for scale in [1] if self.enlarged else self.scales:
            as_network(network).scale = scale
            measured = self.scales if self.enlarged else (scale,)
            card = self._card(network, scale, measured, best["validation"])
            try:
                export.write_model(network, card, self.folder)
            except UsageError as error:
                raise UsageError(f"{error}; the same command with --resume writes it then") from error

    def _card(self, network: nn.Module, scale: int, measured: Sequence[int], validated: float) -> Card:
        recipe = self.recipe
        several = not self.enlarged and len(self.scales) > 1
        quality, ssim = {"validation": validated}, {}
        for folder in recipe.data.reports:
            for factor in measured:
                name = f"{folder.name} x{factor}" if len(measured) > 1 else folder.name
                quality[name], ssim[name] = _reported(network, folder, factor)
        return Card(
            name=f"{recipe.model.name}-x{scale}" if several else recipe.model.name,
            architecture=recipe.model.architecture,
            config={**recipe.model.config, **({"scale": scale} if several else {})},
            scale=scale,
            enlarged=self.scales if self.enlarged else (),
            channels="Y" if as_network(network).channels == 1 else "RGB",
            licence=recipe.model.licence,
            trained_on=recipe.model.trained_on,
            paper=recipe.model.paper,
            steps=recipe.steps,
            seed=recipe.seed,
            recipe=recipe.hash(),
            data_fingerprint=self.fingerprint,
            quality={name: round(value, 3) for name, value in quality.items()},
            ssim={name: round(value, 4) for name, value in ssim.items() if not math.isnan(value)},
            **export.measure_network(network),
        )


def _reported(network: nn.Module, folder: Path, scale: int) -> tuple[float, float]:
    """Mean PSNR and SSIM by the papers' protocol, whatever degradation was learnt."""
    cpu = torch.device("cpu")
    pictures = validation.held_out(validation.reported(folder), scale, as_network(network).channels, Bicubic())
    found = []
    for picture in pictures:
        value, result = validation.quality(network, picture, cpu)
        found.append((value, validation.similarity(result, picture)))
    psnr, ssim = np.mean(found, axis=0)
    return float(psnr), float(ssim)


def _scales(recipe: Recipe, network: nn.Module) -> tuple[int, ...]:
    """The scales that are learnt: the network's own, those of several that it has, or those to enlarge by before it."""
    asked, scale = recipe.data.scales, as_network(network).scale
    if scale == 1:
        return asked or (2,)
    known = getattr(getattr(network, "config", None), "scales", None) or (scale,)
    if not set(asked) <= set(known):
        raise UsageError(f"data.scales: this network has {', '.join(f'x{s}' for s in known)}")
    return asked or tuple(known)


def _check(recipe: Recipe, network: nn.Module, scales: Sequence[int], enlarged: bool) -> None:
    """Refuse what this network cannot do, before anything is read."""
    if len(scales) > 1:
        _check_several(recipe, enlarged)
    variational = hasattr(network, "elbo_terms")
    if (recipe.variational is not None) != variational:
        cure = "add a table [variational]" if variational else "leave out the table [variational]"
        raise UsageError(f"{recipe.model.architecture} {'is' if variational else 'is not'} variational: {cure}")
    if enlarged and recipe.losses.consistency is not None:
        raise UsageError("losses.consistency is for networks that enlarge: this one is given a picture enlarged before")
    if enlarged and recipe.data.lr:
        raise UsageError("data.lr is for networks that enlarge: this one is given a picture enlarged before")
    if recipe.discriminator is not None:
        judge: Any = DISCRIMINATORS[recipe.discriminator.architecture]
        for side in [recipe.data.patch * scale for scale in ((1,) if enlarged else scales)]:
            if side % judge.multiple:
                raise UsageError(
                    f"data.patch: {recipe.discriminator.architecture} halves its pictures, and {side} pixels a side do "
                    f"not divide by {judge.multiple}"
                )
    multiple = as_network(network).multiple
    if recipe.data.patch % multiple:
        raise UsageError(f"data.patch: the sides of what this network gets must divide by {multiple}")


def _check_several(recipe: Recipe, enlarged: bool) -> None:
    """Refuse what belongs to one scale only, where several are learnt."""
    one = "" if enlarged else ", or set model.config.scales to one"
    if recipe.data.lr or recipe.data.validation_lr:
        raise UsageError(f"data.lr and data.validation_lr are of one scale: leave them out{one}")
    if enlarged:
        return
    if recipe.teacher is not None:
        raise UsageError(f"teacher is for networks of one scale: leave it out{one}")
    if recipe.discriminator is not None and recipe.discriminator.architecture == "vgg":
        raise UsageError(f"discriminator.architecture: vgg takes pictures of one size, so take unet{one}")


def _fitting_teacher(name: str, pupil: nn.Module) -> nn.Module:
    teacher = start.model(name)
    theirs, own = as_network(teacher), as_network(pupil)
    if (theirs.scale, theirs.channels) != (own.scale, own.channels):
        raise UsageError(
            f"{name} cannot teach this network: it makes x{theirs.scale} of {theirs.channels} channels, "
            f"not x{own.scale} of {own.channels}"
        )
    return teacher


def _fabric(recipe: Recipe, device: str, *, several: bool) -> Fabric:
    """One device, or under `torchrun` as many processes on as many machines as that has begun."""
    local, world = (int(os.environ.get(name, "1")) for name in ("LOCAL_WORLD_SIZE", "WORLD_SIZE"))
    # Of several scales, a step uses the layers of one.
    strategy: Any = DDPStrategy(find_unused_parameters=several) if world > 1 else "auto"
    try:
        fabric = Fabric(
            accelerator=device,
            devices=local,
            num_nodes=world // local,
            strategy=strategy,
            precision=PRECISIONS[recipe.precision],
        )
    except RuntimeError as error:
        raise UsageError(f"PyTorch {torch.__version__} sees no {device} here: take --device cpu") from error
    fabric.launch()
    return fabric
