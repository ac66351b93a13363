"""EDiff, EraseDiff: keep the retain images while a constraint pushes the target to its anchor.

    min over theta of L_r(theta)  subject to  q(theta) = L_f(theta) - L_f(theta_K) <= 0
    theta <- theta - lr (grad L_r + lambda grad q),
    lambda = max(0, eta - <grad L_r, grad q> / ||grad q||^2)

with L_r the denoising loss on retain images, L_f = || eps_theta(x_t, c, t) - sg eps_theta(x_t, c',
t) ||^2 on images of the target with caption c, c' the caption with the anchor in the target's
place, and theta_K what K steps on L_f alone would give. With this lambda every step goes down q by
at least eta ||grad q||^2, whatever the retain loss wants.

Source: Wu et al. 2025 (arXiv 2401.05779), with the rule of BOME (Liu et al. 2022, arXiv
2209.08709); JingWu321/EraseDiff sd/. How this differs: theta_K enters as a constant and has no
gradient, so the K inner steps change no update; they are left out. The release has a fixed lambda
(``rule: fixed``; 1, in UnlearnCanvas' runs 0.1) or max(0, eta - cos(grad L_r, grad q)) (``rule:
cosine``), and its loader gives the same first batch of the target at every step (``as_released``).

Cost: for each image of a step 3 + 1 to forget and 3 to retain.
"""

from typing import ClassVar, Literal, final

import torch
from diffusers import StableDiffusionPipeline
from pydantic import NonNegativeFloat, PositiveInt
from pydantic.dataclasses import dataclass

from erasers.base import Eraser
from erasers.shared.data import ForgetRetain, forget_and_retain_batches, relabeling_loss
from erasers.shared.latents import denoising_loss
from erasers.shared.training import (
    apply_gradients,
    gradients,
    inner_product,
    parameter_group,
    trainable,
)
from unlearncanvas.types import Task

Rule = Literal["bome", "cosine", "fixed"]


@final
@dataclass(frozen=True, kw_only=True)
class EDiff(ForgetRetain, Eraser):
    """Relabeling as a constraint on ordinary training.

    Attributes:
        rule: Where lambda comes from: ``bome`` as published, ``cosine`` as in the later release,
            ``fixed``.
        eta: Rate at which the constraint is met, for the adaptive rules.
        lam: The fixed lambda.
        as_released: The same first batch of the target at every step.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"anchor", "retain", "images"})

    steps: PositiveInt = 160
    batch_size: PositiveInt = 16
    rule: Rule = "bome"
    eta: NonNegativeFloat = 0.5
    lam: NonNegativeFloat = 1.0
    as_released: bool = False

    def planned_ufe(self) -> int:
        """Return the work of the steps, as the module says."""
        return 7 * self.steps * self.batch_size

    def erase(self, pipe: StableDiffusionPipeline, task: Task) -> None:
        """Edit the chosen parameters of ``pipe.unet``."""
        generator = torch.Generator(pipe.device).manual_seed(task.seed)
        forget, retain = forget_and_retain_batches(
            pipe, task, batch_size=self.batch_size, generator=generator,
            always_first=self.as_released,
        )  # fmt: skip
        with trainable(pipe.unet, parameter_group(pipe.unet, self.parameters)) as parameters:
            optimizer = torch.optim.Adam(parameters, lr=self.lr)
            for _ in range(self.steps):
                forgetting = relabeling_loss(pipe.unet, next(forget))
                constraint = gradients(forgetting, parameters)
                kept = next(retain)
                retaining = denoising_loss(pipe.unet, kept.noised, kept.text)
                ordinary = gradients(retaining, parameters)
                task.report(forget=forgetting, retain=retaining)
                lam = constraint_weight(
                    dot=inner_product(ordinary, constraint),
                    ordinary=inner_product(ordinary, ordinary) ** 0.5,
                    constraint=inner_product(constraint, constraint) ** 0.5,
                    rule=self.rule,
                    eta=self.eta,
                    lam=self.lam,
                )
                pairs = zip(ordinary, constraint, strict=True)
                apply_gradients([g_r + lam * g_q for g_r, g_q in pairs], optimizer)


def constraint_weight(
    *, dot: float, ordinary: float, constraint: float, rule: Rule, eta: float, lam: float
) -> float:
    """Return lambda from <grad L_r, grad q> and the norms of both; 0 where grad q vanishes."""
    if rule == "fixed":
        return lam
    if constraint == 0 or ordinary == 0:
        return 0.0
    scale = constraint if rule == "bome" else ordinary
    return max(0.0, eta - dot / (constraint * scale))
