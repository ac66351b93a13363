"""The forward process and the text encoder, written out once more for first-step tests."""

import torch
from diffusers import DDIMScheduler


def hidden(pipe, *prompts):
    """Embeddings [prompt, 77, emb], straight from tokenizer and text encoder."""
    ids = pipe.tokenizer(
        list(prompts), padding="max_length", max_length=77, return_tensors="pt"
    ).input_ids
    return pipe.text_encoder(ids).last_hidden_state.detach()


def noised(pipe, pixels, generator):
    """x_t, t and noise for images [b, h, w, 3] in bytes, drawn in the order x_0, t, noise."""
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.no_grad():
        posterior = pipe.vae.encode(images).latent_dist
    scale = pipe.vae.config.scaling_factor
    mean, std = posterior.mean * scale, posterior.std * scale
    x_0 = mean + std * torch.randn(mean.shape, generator=generator)
    t = torch.randint(1000, (len(pixels),), generator=generator)
    noise = torch.randn(mean.shape, generator=generator)
    alpha = DDIMScheduler.from_config(pipe.scheduler.config).alphas_cumprod[t].view(-1, 1, 1, 1)
    return alpha.sqrt() * x_0 + (1 - alpha).sqrt() * noise, t, noise


def mse(one, two):
    return ((one - two) ** 2).mean()


def selected(unet, *parts):
    """Parameters whose name holds one of the parts, requiring gradients."""
    chosen = {
        name: weight
        for name, weight in unet.named_parameters()
        if any(part in name for part in parts)
    }
    for weight in chosen.values():
        weight.requires_grad_(True)
    return chosen


def assert_same(pipe, expected, *, atol):
    """The pipeline's parameters are the expected ones, and not all of them where they started."""
    own = dict(pipe.unet.named_parameters())
    for name, weight in expected.items():
        torch.testing.assert_close(own[name].detach(), weight.detach(), rtol=0, atol=atol)
