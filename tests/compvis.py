"""Write a pipeline as a CompVis checkpoint: the names of the Latent Diffusion code."""

RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
ATTENTION = {"to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out", "group_norm": "norm"}


def to_compvis(pipe):
    """Return the tensors of UNet, VAE and text encoder under their CompVis names."""
    unet, vae = pipe.unet.state_dict(), pipe.vae.state_dict()
    tensors = {f"model.diffusion_model.{unet_name(n, pipe.unet)}": v for n, v in unet.items()}
    depth = len(pipe.vae.config.block_out_channels)
    for name, value in vae.items():
        written = vae_name(name, depth)
        if ".attn_1." in written and "norm" not in written and value.ndim == 2:
            value = value[:, :, None, None]  # a linear layer was a 1 x 1 convolution
        tensors[f"first_stage_model.{written}"] = value
    for name, value in pipe.text_encoder.state_dict().items():
        name = name.removeprefix("text_model.")
        tensors[f"cond_stage_model.transformer.text_model.{name}"] = value
    return {name: value.contiguous() for name, value in tensors.items()}


def unet_name(name, unet):
    layers, blocks = unet.config.layers_per_block, len(unet.config.block_out_channels)
    parts = name.split(".")
    rest = ".".join(parts[4:])
    if parts[0] in ("down_blocks", "up_blocks"):
        level, kind, index = int(parts[1]), parts[2], int(parts[3])
        down = parts[0] == "down_blocks"
        first = 1 + level * (layers + 1) if down else level * (layers + 1)
        side = "input_blocks" if down else "output_blocks"
        if kind == "resnets":
            return f"{side}.{first + index}.0.{resnet_name(rest)}"
        if kind == "attentions":
            return f"{side}.{first + index}.1.{rest}"
        if kind == "downsamplers":
            return f"{side}.{first + layers}.0.op.{parts[-1]}"
        attended = "CrossAttn" in unet.config.up_block_types[level]
        return f"{side}.{first + layers}.{2 if attended else 1}.conv.{parts[-1]}"
    assert blocks
    if parts[0] == "mid_block":
        place = {"resnets": 2 * int(parts[2]), "attentions": 1}[parts[1]]
        rest = ".".join(parts[3:])
        return f"middle_block.{place}.{resnet_name(rest) if place != 1 else rest}"
    for ours, theirs in {
        "time_embedding.linear_1": "time_embed.0",
        "time_embedding.linear_2": "time_embed.2",
        "conv_in": "input_blocks.0.0",
        "conv_norm_out": "out.0",
        "conv_out": "out.2",
    }.items():
        if name.startswith(ours):
            return name.replace(ours, theirs)
    raise KeyError(name)


def resnet_name(rest):
    part, _, tail = rest.partition(".")
    return f"{RESNET[part]}.{tail}"


def vae_name(name, depth):
    side, _, rest = name.partition(".")
    if side not in ("encoder", "decoder"):
        return name
    parts = rest.split(".")
    tail = ".".join(parts[4:]).replace("conv_shortcut", "nin_shortcut")
    if parts[0] == "down_blocks":
        kind = f"block.{parts[3]}.{tail}" if parts[2] == "resnets" else f"downsample.{tail}"
        return f"encoder.down.{parts[1]}.{kind}"
    if parts[0] == "up_blocks":
        kind = f"block.{parts[3]}.{tail}" if parts[2] == "resnets" else f"upsample.{tail}"
        return f"decoder.up.{depth - 1 - int(parts[1])}.{kind}"
    if parts[0] == "mid_block":
        tail = ".".join(parts[3:])
        if parts[1] == "resnets":
            return f"{side}.mid.block_{int(parts[2]) + 1}.{tail}"
        for ours, theirs in ATTENTION.items():
            tail = tail.replace(ours, theirs) if tail.startswith(ours) else tail
        return f"{side}.mid.attn_1.{tail}"
    return f"{side}.{rest.replace('conv_norm_out', 'norm_out')}"
