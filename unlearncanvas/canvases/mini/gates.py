"""The gates that the weights of the mini canvas must pass, measured and printed.

    python -m unlearncanvas.canvases.mini.gates

Images come from a split of the painter that nothing was trained on, and from seeds that no protocol
uses. Exit code 1 if a gate is missed.
"""

from collections import defaultdict
from typing import Annotated, Any, NamedTuple

import numpy as np
import torch
import typer
from jaxtyping import Float, UInt8
from rich.console import Console
from rich.table import Table

from metrics.fid import frechet_distance
from unlearncanvas.canvases.detectors import OWN, Detectors
from unlearncanvas.canvases.load import load_detectors
from unlearncanvas.canvases.mini.canvas_data import painted, to_model
from unlearncanvas.canvases.mini.objects import OBJECTS
from unlearncanvas.canvases.mini.painter import caption
from unlearncanvas.canvases.mini.spec import PaintedDetectors
from unlearncanvas.canvases.mini.styles import STYLES
from unlearncanvas.core.registry import find_config, read_yaml
from unlearncanvas.pipelines.base_model import load_base
from unlearncanvas.pipelines.sampler import Sampler
from unlearncanvas.pipelines.sampling import Request, draw, to_bytes
from unlearncanvas.types import Cell

IMAGES_PER_CELL = 20
FIRST_SEED = 70_000
FID_IMAGES = 1000


class Gate(NamedTuple):
    """One requirement and what was measured."""

    name: str
    wanted: str
    found: str
    passed: bool


class Labelled(NamedTuple):
    """Images and the indices of their style and object."""

    images: UInt8[np.ndarray, "n h w 3"]
    styles: np.ndarray
    objects: np.ndarray


def _protocol() -> dict[str, Any]:
    """The protocol's file, which names the sampler and the detectors."""
    return read_yaml(find_config("protocols", "mini"))


def real_images(split: str, num_per_cell: int) -> Labelled:
    """Return painted images of all 144 cells."""
    data = painted(num_per_cell, split=split)
    images = data.images.permute(0, 2, 3, 1).contiguous().numpy()
    return Labelled(images, data.styles.numpy(), data.objects.numpy())


@torch.no_grad()
def reconstructions(real: Labelled, device: torch.device) -> Labelled:
    """Return the images through the autoencoder and back."""
    vae = load_base("minicanvas", device=device).vae
    pixels = torch.from_numpy(real.images).permute(0, 3, 1, 2)
    parts = []
    for batch in pixels.split(100):
        latent = vae.encode(to_model(batch.to(device))).latent_dist.mean
        parts.append(to_bytes(vae.decode(latent).sample))
    return real._replace(images=np.concatenate(parts))


def generated_images(num_per_cell: int, device: torch.device) -> Labelled:
    """Return images of all 144 cells drawn by the base model with the protocol's sampler."""
    sampler = Sampler.model_validate(_protocol()["sampler"])
    pipe = load_base("minicanvas", device=device, dtype=getattr(torch, sampler.dtype))
    names = [(style, obj) for style in range(len(STYLES)) for obj in range(len(OBJECTS))]
    requests, labels = [], []
    for style, obj in names:
        cell = Cell(style=list(STYLES)[style], object=list(OBJECTS)[obj])
        for index in range(num_per_cell):
            prompt = caption(cell.style, cell.object)
            requests.append(Request(cell=cell, seed=FIRST_SEED + index, prompt=prompt))
            labels.append((style, obj))
    images = np.concatenate([batch for _, batch in draw(pipe, requests, sampler)])
    styles, objects = np.array(labels).T
    return Labelled(images, styles, objects)


def accuracies(detectors: Detectors, data: Labelled) -> tuple[np.ndarray, np.ndarray]:
    """Return, per image, whether the style and whether the object detector is right."""
    found = detectors.detect(list(data.images))
    return (
        found.style_prob.argmax(axis=1) == data.styles,
        found.object_prob.argmax(axis=1) == data.objects,
    )


def nearest(
    features: Float[np.ndarray, "n feature"], training: Float[np.ndarray, "m feature"]
) -> Float[np.ndarray, " n"]:
    """Return the distance of every image to the nearest training image, in feature space."""
    rows, columns = torch.from_numpy(features), torch.from_numpy(training)
    return torch.cat([torch.cdist(part, columns).amin(dim=1) for part in rows.split(256)]).numpy()


def measure(device: torch.device) -> list[Gate]:
    """Measure every gate."""
    spec = PaintedDetectors.model_validate(_protocol()["detectors"])
    detectors = load_detectors(spec, device=device)
    real = real_images("gate", IMAGES_PER_CELL)
    gates = []
    for name, data, limit in (
        ("detectors on held-out painted images", real, 99.0),
        ("autoencoder reconstructions", reconstructions(real, device), 99.0),
    ):
        style, obj = (100 * right.mean() for right in accuracies(detectors, data))
        found = f"style {style:.2f} %, object {obj:.2f} %"
        gates.append(Gate(name, f">= {limit:.0f} %", found, min(style, obj) >= limit))
    drawn = generated_images(IMAGES_PER_CELL, device)
    gates += grid_gates(detectors, drawn)
    gates += feature_gates(detectors, real, drawn)
    return gates


def grid_gates(detectors: Detectors, drawn: Labelled) -> list[Gate]:
    """Return the gates on what the base model draws when asked."""
    style_right, object_right = accuracies(detectors, drawn)
    cells: dict[tuple[int, int], list[bool]] = defaultdict(list)
    rights = zip(drawn.styles, drawn.objects, style_right, object_right, strict=True)
    for style, obj, first, second in rights:
        cells[style, obj].append(bool(first and second))
    worst = min(cells, key=lambda cell: float(np.mean(cells[cell])))
    low = 100 * float(np.mean(cells[worst]))
    style, obj = 100 * style_right.mean(), 100 * object_right.mean()
    name = f"{list(OBJECTS)[worst[1]]} in {list(STYLES)[worst[0]]}"
    return [
        Gate(
            f"base model, {IMAGES_PER_CELL} images a cell",
            ">= 98 %",
            f"style {style:.2f} %, object {obj:.2f} %",
            min(style, obj) >= 98,
        ),
        Gate("worst cell, style and object both", ">= 80 %", f"{low:.0f} % ({name})", low >= 80),
    ]


def feature_gates(detectors: Detectors, real: Labelled, drawn: Labelled) -> list[Gate]:
    """Return the gates on the distribution: FID, and no copies of training images."""
    other = real_images("reference", IMAGES_PER_CELL)
    rng = np.random.default_rng(0)

    def features(data: Labelled) -> np.ndarray:
        chosen = rng.permutation(len(data.images))[:FID_IMAGES]
        return detectors.detect(list(data.images[chosen])).features[OWN].astype(np.float64)

    held_out, reference, generated = features(real), features(other), features(drawn)
    floor = frechet_distance(held_out, reference)
    base = frechet_distance(generated, reference)
    images = list(real_images("train", 250).images)
    training = detectors.detect(images).features[OWN].astype(np.float64)
    copied = np.percentile(nearest(generated, training), 1)
    honest = np.percentile(nearest(held_out, training), 1)
    return [
        Gate(
            f"FID at n = {FID_IMAGES:,}, base model against real",
            "<= 3 x real against real",
            f"{base:.3f} against {floor:.3f}: {base / floor:.2f} x",
            base <= 3 * floor,
        ),
        Gate(
            "copying: first percentile of the distance to training",
            ">= that of held-out images",
            f"{copied:.3f} against {honest:.3f}",
            bool(copied >= honest),
        ),
    ]


def main(device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu") -> None:
    """Measure and print every gate; exit code 1 if one is missed."""
    console = Console(emoji=False)
    gates = measure(torch.device(device))
    table = Table("gate", "wanted", "found", "", title="Mini canvas")
    for gate in gates:
        table.add_row(*gate[:3], "[green]pass[/]" if gate.passed else "[red]MISS[/]")
    console.print(table)
    if not all(gate.passed for gate in gates):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
