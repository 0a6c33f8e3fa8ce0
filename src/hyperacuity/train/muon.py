"""Muon: an optimiser whose steps are equally large in all directions of a kernel's matrix.

Source: Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024. The momentum of a convolution's
kernel, seen as a matrix (outputs, inputs x height x width), is replaced by the nearest matrix whose singular values
are all about 1, and sized like a step of Adam (Liu et al., "Muon is Scalable for LLM Training", arXiv 2502.16982,
section 2.2), so that one learning rate serves both. Other parameters (biases, slopes, kernels of one input and one
output) use Adam. PyTorch's own accepts matrices only, and works in bfloat16, which most CPUs emulate, on one parameter
at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

# Five steps of this polynomial bring all singular values between 0.01 and 1 to between 0.7 and 1.2 (Jordan et al.).
_STEPS = 5
_A, _B, _C = 3.4445, -4.7750, 2.0315
# The root mean square of a step of Adam, as a part of the learning rate (Liu et al.).
_SIZE = 0.2
_TINY = 1e-8


class Muon(Optimizer):
    """Muon for kernels, Adam for other parameters.

    Args:
        params: Parameters, or groups of them.
        lr: The learning rate.
        momentum: For kernels.
        betas: For other parameters, as in Adam.
        weight_decay: Decoupled, as in AdamW.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 1e-3,
        *,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.999),
        weight_decay: float = 0,
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """See `torch.optim.Optimizer.step`."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            known = [parameter for parameter in group["params"] if parameter.grad is not None]
            if group["weight_decay"] and known:
                torch._foreach_mul_(known, 1 - group["lr"] * group["weight_decay"])
            shapes: dict[tuple[int, int], list[Tensor]] = {}
            for parameter in known:
                shapes.setdefault(_matrix(parameter), []).append(parameter)
            for shape, parameters in shapes.items():
                if min(shape) > 1:
                    self._turn(parameters, shape, group)
                else:
                    self._adam(parameters, group)
        return loss

    def _turn(self, kernels: list[Tensor], shape: tuple[int, int], group: dict[str, Any]) -> None:
        """Update all kernels of one shape at once: in small networks a call takes longer than its arithmetic."""
        gradients: list[Any] = [kernel.grad for kernel in kernels]
        memories: list[Tensor] = []
        for kernel in kernels:
            state = self.state[kernel]
            if not state:
                state["momentum"] = torch.zeros_like(kernel)
            memories.append(state["momentum"])
        torch._foreach_lerp_(memories, gradients, 1 - group["momentum"])
        ahead = torch._foreach_lerp(gradients, memories, group["momentum"])  # Nesterov's
        turned = orthogonal(torch.stack([each.reshape(shape) for each in ahead]))
        size = -group["lr"] * _SIZE * max(shape) ** 0.5
        torch._foreach_add_(
            kernels, [each.view_as(kernel) for each, kernel in zip(turned, kernels, strict=True)], alpha=size
        )

    def _adam(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        first, second = group["betas"]
        for parameter in parameters:
            state = self.state[parameter]
            if not state:
                state |= {"step": 0, "mean": torch.zeros_like(parameter), "square": torch.zeros_like(parameter)}
            state["step"] += 1
            gradient: Any = parameter.grad
            state["mean"].lerp_(gradient, 1 - first)
            state["square"].lerp_(gradient.square(), 1 - second)
            spread = (state["square"] / (1 - second ** state["step"])).sqrt_().add_(_TINY)
            parameter.addcdiv_(state["mean"], spread, value=-group["lr"] / (1 - first ** state["step"]))


def _matrix(parameter: Tensor) -> tuple[int, int]:
    """Return the rows and columns of a kernel; a parameter of one dimension has one row."""
    return (len(parameter), parameter[0].numel()) if parameter.ndim > 1 else (1, parameter.numel())


def orthogonal(matrices: Tensor) -> Tensor:
    """Bring all singular values of (N, rows, columns) near 1 and keep their directions; zeros stay zeros."""
    wide = matrices.shape[1] <= matrices.shape[2]
    x = matrices if wide else matrices.mT
    x = x / (x.norm(dim=(1, 2), keepdim=True) + _TINY)
    for _ in range(_STEPS):
        square = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=_B, alpha=_C), x, beta=_A)
    return x if wide else x.mT
