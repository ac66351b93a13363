"""A folder with all that a user of the real exam would fetch, at a small size."""

import numpy as np
import timm
import torch
import yaml
from PIL import Image
from torchvision import models

from unlearncanvas.config import find_config, read_yaml
from unlearncanvas.inception import PublishedInception

CELLS = [
    (style, obj) for style in ("Seed_Images", "Cartoon", "Van_Gogh") for obj in ("Cats", "Dogs")
]


def furnish(folder, base):
    """Write base model, classifiers, Inception, dataset and a protocol, small-real.yaml."""
    base.save_pretrained(folder / "style50")
    torch.manual_seed(0)
    for name, count in (("style50.pth", 51), ("style50_cls.pth", 20)):
        model = timm.create_model("test_vit", num_classes=count, img_size=32)
        (folder / "cls_model").mkdir(exist_ok=True)
        torch.save({"model_state_dict": model.state_dict()}, folder / "cls_model" / name)
    network = models.inception_v3(weights=None, transform_input=True, init_weights=False)
    (folder / "inception").mkdir()
    torch.save(network.state_dict(), folder / "inception" / PublishedInception.file)
    rng = np.random.default_rng(0)
    for style, obj in CELLS:
        (folder / "data" / style / obj).mkdir(parents=True)
        for index in range(11, 21):
            image = Image.fromarray(rng.integers(0, 256, (40, 48, 3), dtype=np.uint8))
            image.save(folder / "data" / style / obj / f"{index}.jpg")
    rules = read_yaml(find_config("protocols", "unlearncanvas"))
    rules["sampler"].update(num_inference_steps=2, height=32, width=32, batch_size=3)
    rules["detectors"].update(architecture="test_vit", image_size=32)
    metrics = [name for name in rules["metrics"] if not name.endswith("clean")]
    rules.update(name="small-real", metrics=metrics)
    (folder / "small-real.yaml").write_text(yaml.safe_dump(rules))
