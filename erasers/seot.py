"""SEOT, SuppressEOT: shrink what the end tokens hold of the target, while the image is generated.

    chi = [embeddings of the target's tokens; of the end token and its padding] = U Sigma V^T
    sigma' = sigma exp(-alpha sigma),    chi' = U Sigma' V^T

from a share of the steps on, in prompts that name the target; other prompts are left alone, bit
for bit. Optionally, the embedding c' is then moved down the gradient of

    || A_r(c') - A_r(c) ||^2 - w || A_e(c') - A_e(c) ||^2

between two of the sampler's steps, with A_e the cross-attention to the target's tokens and A_r to
the prompt's other words.

Source: Li et al. 2024 (arXiv 2402.05375); sen-mao/SuppressEOT. How this differs: the release
optimizes by cosines between maps, those of self-attention too (weights 1 to retain, -0.5 to erase,
of either kind), in 10 gradient steps at each of the sampler's steps 10 to 20 of 50; here it is the
formula above, on cross-attention alone, within a window of noise levels. Its README leaves the
optimization out for generated images, UnlearnCanvas' script has it on; here it is off unless
``optimize_steps`` says otherwise. The target's tokens are found by the tokenizer; the release
takes their places as an argument.

Cost: no UFE to erase. While images are generated, ``optimize_steps`` x 3 + 1 UFE a row and step of
the window.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, final

import torch
from diffusers import StableDiffusionPipeline
from jaxtyping import Float
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat
from pydantic.dataclasses import dataclass
from torch import Tensor

from erasers.base import Eraser
from erasers.shared.attention import captured_cross_attention
from erasers.shared.embeddings import end_columns, word_columns
from erasers.shared.hooks import add_prompt_hook
from unlearncanvas.types import Task


@final
@dataclass(frozen=True, kw_only=True)
class SEOT(Eraser):
    """Soft-weighted regularization of prompt embeddings, with optional optimization of them.

    Attributes:
        alpha: Strength of the shrinking.
        untouched: Share of the noise levels, from the top, at which nothing is done yet.
        optimize_steps: Gradient steps on the embedding at each sampler step of the window; 0 is
            none.
        optimize_until: Share of the noise levels, from the top, at which optimizing ends.
        optimize_lr: Size of the first gradient step; it falls to a third by the end of the window.
        erase_weight: w.
    """

    leaves: ClassVar[Literal["weights", "adapter", "hook"]] = "hook"

    alpha: PositiveFloat = 1.0
    untouched: Annotated[float, Field(ge=0, lt=1)] = 0.2
    optimize_steps: NonNegativeInt = 0
    optimize_until: Annotated[float, Field(ge=0, le=1)] = 0.4
    optimize_lr: PositiveFloat = 20.0
    erase_weight: NonNegativeFloat = 0.5

    def planned_ufe(self) -> int:
        """Return 0: all work is done while images are generated."""
        return 0

    def erase(self, pipe: StableDiffusionPipeline, task: Task) -> None:
        """Register the hook on ``pipe``; no weight changes."""
        hook = Suppression(self, pipe, [target.words for target in task.targets])
        add_prompt_hook(pipe, hook.update)
        pipe.unet.register_forward_pre_hook(hook, with_kwargs=True)

    def restore(
        self, pipe: StableDiffusionPipeline, task: Task, tensors: Mapping[str, Tensor]
    ) -> None:
        """Register the hook; there are no tensors."""
        self.erase(pipe, task)


@final
class Suppression:
    """Replaces the embeddings of prompts that name a target when the UNet is called with them."""

    def __init__(
        self, settings: SEOT, pipe: StableDiffusionPipeline, targets: Sequence[str]
    ) -> None:
        self._settings, self._pipe, self._targets = settings, pipe, targets
        self._total = pipe.scheduler.config.num_train_timesteps
        self._columns: list[list[int]] = []
        self._words: list[list[int]] = []
        self._before = self._after = torch.empty(0)
        self._busy = False

    @torch.no_grad()
    def update(
        self, prompts: Sequence[str] | None, embeddings: Float[Tensor, "b token emb"]
    ) -> None:
        """Compute the replacements of embeddings that the pipeline has just encoded.

        Embeddings without a prompt name no target: they are left alone, unless they are those of
        the last prompt.
        """
        if prompts is None:
            return
        pipe = self._pipe
        self._columns = [
            [column for words in self._targets for column in word_columns(pipe, prompt, words)]
            for prompt in prompts
        ]
        ends = [end_columns(pipe, prompt) for prompt in prompts]
        self._words = [
            [column for column in range(1, end[0]) if column not in named]
            for named, end in zip(self._columns, ends, strict=True)
        ]
        self._before, self._after = embeddings, embeddings.clone()
        for row, (named, end) in enumerate(zip(self._columns, ends, strict=True)):
            if named:
                chosen = sorted({*named, *end})
                self._after[row, chosen] = shrink(embeddings[row, chosen], self._settings.alpha)

    def __call__(
        self, unet: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        """Replace the UNet's embeddings, from the noise level on where that begins."""
        text = kwargs["encoder_hidden_states"] if len(args) < 3 else args[2]
        passed = 1 - float(args[1] if len(args) > 1 else kwargs["timestep"]) / self._total
        size = len(self._before)
        if (
            self._busy
            or not any(self._columns)
            or passed < self._settings.untouched
            or not torch.equal(text[len(text) - size :], self._before.to(text.dtype))
        ):
            return None
        if self._settings.optimize_steps and passed < self._settings.optimize_until:
            self._optimize(args[0] if args else kwargs["sample"], passed)
        changed = torch.cat([text[: len(text) - size], self._after.to(text.dtype)])
        if len(args) < 3:
            return args, {**kwargs, "encoder_hidden_states": changed}
        return (*args[:2], changed, *args[3:]), kwargs

    def _optimize(self, sample: Tensor, passed: float) -> None:
        """Move the changed embeddings down their gradient at these latents."""
        settings, rows = self._settings, [row for row, named in enumerate(self._columns) if named]
        latents = sample[len(sample) - len(self._before) :][rows]
        t = torch.tensor((1 - passed) * self._total, device=latents.device).round()
        window = settings.optimize_until - settings.untouched
        lr = (
            settings.optimize_lr * max(0.1, 1 - 0.9 * (passed - settings.untouched) / window) ** 0.5
        )
        self._busy = True
        try:
            with torch.enable_grad(), captured_cross_attention(self._pipe.unet) as maps:
                with torch.no_grad():
                    self._pipe.unet(latents, t, self._before[rows].to(latents.dtype))
                original = list(maps)
                text = self._after[rows].float()
                for _ in range(settings.optimize_steps):
                    maps.clear()
                    text = text.detach().requires_grad_(True)
                    self._pipe.unet(latents, t, text.to(latents.dtype))
                    loss = attention_loss(
                        maps, original, retain=[self._words[row] for row in rows],
                        erase=[self._columns[row] for row in rows], weight=settings.erase_weight,
                    )  # fmt: skip
                    (grad,) = torch.autograd.grad(loss, [text])
                    text = text - lr * grad
                self._after[rows] = text.detach().to(self._after.dtype)
        finally:
            self._busy = False


def shrink(chi: Float[Tensor, "token emb"], alpha: float) -> Float[Tensor, "token emb"]:
    """Return chi with every singular value sigma become sigma exp(-alpha sigma)."""
    u, sigma, v = torch.linalg.svd(chi.float(), full_matrices=False)
    return ((u * (sigma * torch.exp(-alpha * sigma))) @ v).to(chi.dtype)


def attention_loss(
    maps: Sequence[Float[Tensor, "b _ _ token"]],
    original: Sequence[Float[Tensor, "b _ _ token"]],
    *,
    retain: Sequence[Sequence[int]],
    erase: Sequence[Sequence[int]],
    weight: float,
) -> Float[Tensor, ""]:
    """Return how far attention to retained words moved, less ``weight`` x that to the target's."""
    total = torch.zeros((), device=maps[0].device)
    for now, before in zip(maps, original, strict=True):
        moved = (now.float() - before.float()).square()
        for row, (kept, named) in enumerate(zip(retain, erase, strict=True)):
            total = total + moved[row, ..., list(kept)].sum()
            total = total - weight * moved[row, ..., list(named)].sum()
    return total
