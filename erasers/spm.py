"""SPM, Semi-Permeable Membrane: rank-1 adapters that act on prompts near the target only.

    erase:   || eps_d(x_t, c, t) - (eps(x_t, c_0, t) - eta (eps(x_t, c, t) - eps(x_t, c_0, t))) ||^2
    anchor:  + w || eps_d(x_t, a, t) - eps(x_t, a, t) ||^2
    infer:   gamma = max( cos(e(prompt), e(target)), |tokens of both| / |tokens of target| ) times d

with d the adapter, eps the model without and eps_d with it, c the target's prompt, c_0 the empty
one, x_t latents that the adapted model denoised, a random embeddings of about the target's norm,
kept with probability 1 - cos(a, c), and e() the text encoder's output as one long vector. Of
several adapters each has its own gamma, and their outputs add up.

Source: Lyu et al. 2024 (arXiv 2312.16145); Con6924/SPM @ 7dcfd21. How this differs: the release
reads every other anchor from the wrong half of a batch, which makes it the empty prompt
(``as_released``); it trains at 256 to 448 pixels; its transport scales both factors of an adapter
by gamma, so that the output has gamma squared, here gamma; it adds up the factors of several
adapters, whose product has cross terms; its partially denoised latents carry a timestep 32 to 42
too high, here exact.

Cost: a step of b latents and a anchors has b (denoising + 2 + 3) + 4 a, where denoising is the
number of steps done, (N - 1) / 2 on average, twice that with guidance.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import chain, count
from typing import Annotated, ClassVar, Literal, final

import torch
from diffusers import StableDiffusionPipeline
from diffusers.optimization import get_cosine_with_hard_restarts_schedule_with_warmup
from jaxtyping import Float
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass
from torch import Tensor
from torch.nn import functional

from erasers.base import Eraser, load_tensors
from erasers.esd import negative_guidance
from erasers.shared.adapters import Gate, add_adapters
from erasers.shared.embeddings import embed, repeat
from erasers.shared.hooks import add_prompt_hook
from erasers.shared.latents import Work, partial_sample, partial_sample_work, squared_error
from erasers.shared.prompts import PromptTemplates
from erasers.shared.training import optimizer_step, trainable
from unlearncanvas.types import Concept, Task


@final
@dataclass(frozen=True, kw_only=True)
class SPM(PromptTemplates, Eraser):
    """Rank-1 adapters with latent anchoring and facilitated transport.

    Attributes:
        rank: Rank of each adapter.
        eta: Negative guidance of the goal.
        anchor_weight: w.
        num_anchors: Anchors a step.
        transport: Whether gamma scales the adapter; without it, the scale is 1.
        steps: Optimizer steps.
        warmup: Of these, steps of linear warm-up.
        cycles: Cosine cycles of the learning rate.
        lr: Learning rate of AdamW.
        batch_size: Latents a step, all of one timestep.
        guidance_scale: Guidance while x_t is denoised; 1 skips the empty half.
        num_inference_steps: DDIM steps of a whole trajectory, of which i ~ U{0..N-1} are done.
        as_released: Every other anchor is the empty prompt.
    """

    leaves: ClassVar[Literal["weights", "adapter", "hook"]] = "adapter"

    rank: PositiveInt = 1
    eta: PositiveFloat = 1.0
    anchor_weight: NonNegativeFloat = 1000.0
    num_anchors: PositiveInt = 4
    transport: bool = True
    steps: PositiveInt = 3000
    warmup: NonNegativeInt = 500
    cycles: PositiveInt = 3
    lr: PositiveFloat = 1e-4
    batch_size: PositiveInt = 1
    guidance_scale: Annotated[float, Field(ge=1)] = 3.0
    num_inference_steps: Annotated[int, Field(ge=1, le=1000)] = 30
    as_released: bool = False

    def planned_ufe(self) -> int:
        """Return the expected work for one target, as the module says."""
        latents = self._denoising().mean + 2 + 3
        return round(self.steps * (self.batch_size * latents + 4 * self.num_anchors))

    def planned_ufe_std(self) -> float:
        """Return how far the draws of the partial denoising spread it."""
        return self.steps**0.5 * self.batch_size * self._denoising().std

    def _denoising(self) -> Work:
        return partial_sample_work(
            guidance_scale=self.guidance_scale, num_inference_steps=self.num_inference_steps
        )

    def erase(self, pipe: StableDiffusionPipeline, task: Task) -> None:
        """Attach one adapter a target to ``pipe.unet``, train it, and gate it by the prompt."""
        generator = torch.Generator(pipe.device).manual_seed(task.seed)
        gates = {}
        for target, adapter_name in adapter_names(task.targets).items():
            gate = Gate()
            adapters = add_adapters(pipe.unet, adapter_name, rank=self.rank, gate=gate)
            for adapter in adapters.values():
                adapter.reset_parameters(generator)
            names = [f"{path}.{factor}" for path in adapters for factor in ("down", "up")]
            prompt = self.prompt(target, task)
            self._train(pipe, prompt, gate, names, generator, report=task.report)
            gate.rows = torch.zeros(1)  # the next one learns beside the base model
            gates[target] = gate
        self._install(pipe, gates)

    def restore(
        self, pipe: StableDiffusionPipeline, task: Task, tensors: Mapping[str, Tensor]
    ) -> None:
        """Attach the stored adapters and gate them by the prompt."""
        gates = {}
        for target, adapter_name in adapter_names(task.targets).items():
            gates[target] = Gate()
            add_adapters(pipe.unet, adapter_name, rank=self.rank, gate=gates[target])
        load_tensors(pipe, tensors)
        self._install(pipe, gates)

    def _train(
        self,
        pipe: StableDiffusionPipeline,
        prompt: str,
        gate: Gate,
        names: Sequence[str],
        generator: torch.Generator,
        *,
        report: Callable[..., None],
    ) -> None:
        unet = pipe.unet
        nothing, one = embed(pipe, ["", prompt])
        empty, concept = repeat(nothing, self.batch_size), repeat(one, self.batch_size)
        own = dict(unet.named_parameters())
        with trainable(unet, {name: own[name] for name in names}) as parameters:
            optimizer = torch.optim.AdamW(parameters, lr=self.lr)
            schedule = get_cosine_with_hard_restarts_schedule_with_warmup(
                optimizer, self.warmup, self.steps, self.cycles
            )
            for _ in range(self.steps):
                x_t, t = partial_sample(
                    pipe, unet, concept=concept, empty=empty, generator=generator,
                    guidance_scale=self.guidance_scale,
                    num_inference_steps=self.num_inference_steps,
                )  # fmt: skip
                anchors = random_anchors(one.tokens, self.num_anchors, generator)
                if self.as_released:
                    anchors[::2] = nothing.tokens
                near = x_t[torch.arange(self.num_anchors) % len(x_t)]
                with torch.no_grad(), gate.fixed(0.0):
                    eps_c, eps_0 = (unet(x_t, t, text).sample for text in (concept, empty))
                    eps_a = unet(near, t, anchors).sample
                goal = negative_guidance(eps_c=eps_c, eps_0=eps_0, eta=self.eta)
                loss = squared_error(unet(x_t, t, concept).sample, goal)
                anchoring = squared_error(unet(near, t, anchors).sample, eps_a)
                loss = loss + self.anchor_weight * anchoring
                report(loss=loss)
                optimizer_step(loss, optimizer)
                schedule.step()

    def _install(self, pipe: StableDiffusionPipeline, gates: Mapping[Concept, Gate]) -> None:
        """Have every gate follow the prompts that the pipeline encodes."""
        for target, gate in gates.items():
            gate.rows = torch.ones(1)
            if self.transport:
                add_prompt_hook(pipe, Transport(pipe, target, gate))


@final
class Transport:
    """Sets a gate to how near each prompt is to the target."""

    def __init__(self, pipe: StableDiffusionPipeline, target: Concept, gate: Gate) -> None:
        """Encode the target's bare name."""
        self._tokenizer, self._gate = pipe.tokenizer, gate
        self._tokens = self._words(target.words)
        self._embedding = embed(pipe, [target.words])[0].tokens

    def __call__(
        self, prompts: Sequence[str] | None, embeddings: Float[Tensor, "b token emb"]
    ) -> None:
        """Set the gate's rows.

        Raises:
            ValueError: If there are no words to compare with the target's.
        """
        if prompts is None:
            raise ValueError(
                "facilitated transport needs the words of a prompt, got embeddings alone; give "
                "prompt in place of prompt_embeds, or set transport=false"
            )
        overlaps = [
            len(self._words(prompt) & self._tokens) / len(self._tokens) for prompt in prompts
        ]
        self._gate.rows = permeability(embeddings, self._embedding, torch.tensor(overlaps))

    def _words(self, text: str) -> set[int]:
        return set(self._tokenizer(text, add_special_tokens=False).input_ids)


def permeability(
    prompts: Float[Tensor, "b token emb"],
    target: Float[Tensor, "token emb"],
    overlaps: Float[Tensor, " b"],
) -> Float[Tensor, " b"]:
    """Return gamma: the greater of cosine and share of tokens, in [0, 1]."""
    flat, other = prompts.float().flatten(1), target.to(prompts.device).float().flatten()
    cosine = functional.cosine_similarity(flat, other[None])
    return torch.maximum(cosine.cpu(), overlaps).clamp(0.0, 1.0)


def random_anchors(
    target: Float[Tensor, "token emb"], count: int, generator: torch.Generator
) -> Float[Tensor, "{count} token emb"]:
    """Return embeddings in random directions, 0.8 to 1.2 times the target's norm."""
    kept: list[Tensor] = []
    while len(kept) < count:
        drawn = torch.randn(target.shape, generator=generator, device=generator.device)
        length = 0.8 + 0.4 * torch.rand((), generator=generator, device=generator.device)
        anchor = drawn / drawn.norm() * target.norm() * length
        cosine = functional.cosine_similarity(anchor.flatten(), target.flatten(), dim=0)
        if torch.rand((), generator=generator, device=generator.device) < 1 - cosine:
            kept.append(anchor)
    return torch.stack(kept)


def adapter_names(targets: Sequence[Concept]) -> dict[Concept, str]:
    """Return a name for each target's adapter, without what a module's name cannot hold.

    Names that this makes equal are numbered, in the order of the targets.
    """
    names: dict[Concept, str] = {}
    for target in targets:
        plain = "spm_" + re.sub(r"\W", "_", f"{target.kind}_{target.name}")
        tried = chain([plain], (f"{plain}_{number}" for number in count(2)))
        names[target] = next(name for name in tried if name not in names.values())
    return names
