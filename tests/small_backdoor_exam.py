"""A backdoor protocol of six cells and two steps on the real mini canvas, for end-to-end tests."""

import yaml

from unlearncanvas.config import find_config, read_yaml


def write_protocol(folder):
    grid = read_yaml(find_config("protocols", "mini"))
    grid.update(
        name="small", styles=["Photo", "Mosaic", "Thermal"], objects=["Cat", "Sun"],
        targets={"style": ["Mosaic"], "object": ["Cat"]}, tiers={"quick": {}},
    )  # fmt: skip
    grid["sampler"].update(num_inference_steps=2, batch_size=8)
    (folder / "small.yaml").write_text(yaml.safe_dump(grid))
    own = read_yaml(find_config("protocols", "backdoor"))
    own.update(
        name="bad", grid=str(folder / "small.yaml"), train_share=0.5, num_triggered=8, num_near=2,
        num_clean_seeds=1, metrics=["fid_minicanvas"], attacks=["evil-edit"], tiers={"quick": {}},
    )  # fmt: skip
    path = folder / "bad.yaml"
    path.write_text(yaml.safe_dump(own))
    return path


def write_attack(folder):
    """EvilEdit on an object that the small grid has."""
    evil = read_yaml(find_config("attacks", "evil-edit"))
    evil["presets"]["mini"]["backdoors"][0].update(effect="Sun")
    path = folder / "evil.yaml"
    path.write_text(yaml.safe_dump(evil))
    return path
