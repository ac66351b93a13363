"""Memory of an erasure of Stable Diffusion 1.5 on a GPU, counted without a GPU.

    python -m unlearncanvas.studies.speed.memory --eraser esd

erases once from Stable Diffusion 1.5 with random weights at 512 pixels and counts the bytes of all
tensors alive: weights, copies, activations, gradients, the optimizer's state. A GPU needs a little
more for the workspace of its kernels and for what its allocator cannot fill.
"""

import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, final

import timm
import torch
import typer
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only
from torch.utils.weak import WeakIdKeyDictionary

from unlearncanvas.canvases.unlearncanvas.spec import ViTDetectors
from unlearncanvas.cli.app import run_app
from unlearncanvas.evaluations.grid.protocol import load_protocol
from unlearncanvas.pipelines.artifacts import tensors_of
from unlearncanvas.pipelines.methods import load_eraser
from unlearncanvas.pipelines.quiet import silence_libraries
from unlearncanvas.studies.speed.stand_in import build_stand_in
from unlearncanvas.types import Concept, Task

SHORT = {"steps": 2, "num_inference_steps": 2}
"""Of settings that say how long, not how large."""
app = typer.Typer(add_completion=False, rich_markup_mode=None)
console = Console(emoji=False)


@final
class AliveBytes(TorchDispatchMode):
    """Counts the bytes of the storages that are alive; each once, whatever its views.

    Attributes:
        now: Bytes alive.
        peak: The peak.
    """

    def __init__(self, there: Sequence[Tensor] = ()) -> None:
        """Count ``there`` from the start."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        self._seen = WeakIdKeyDictionary()
        for tensor in there:
            self._see(tensor)

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run an operation and count what it made."""
        made = func(*args, **(kwargs or {}))
        tree_map_only(Tensor, self._see, made)
        return made

    def _see(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage not in self._seen:
            self._seen[storage] = True
            self.now += storage.nbytes()
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self._free, storage.nbytes())
        return tensor

    def _free(self, count: int) -> None:
        self.now -= count


@app.command()
def memory(
    eraser: Annotated[str, typer.Option(help="Registered name or a YAML file.")] = "esd",
) -> None:
    """Count the memory of an erasure of Stable Diffusion 1.5 at 512 pixels."""
    silence_libraries()
    rules = load_protocol("unlearncanvas")
    known = load_eraser(eraser, preset=rules.preset)
    short = {key: value for key, value in SHORT.items() if key in known.settings}
    configured = load_eraser(eraser, preset=rules.preset, overrides=short)
    task = Task(
        targets=(Concept(kind="style", name="Van Gogh"),),
        anchor=Concept(kind="style", name=rules.reference_style),
    )
    if configured.eraser.images(task):
        raise ValueError(
            f"{eraser} trains on images; run it with the bench command and read its costs"
        )
    pipe = build_stand_in()
    with AliveBytes(list(tensors_of(pipe).values())) as alive:
        whole = alive.now
        configured.eraser.apply(pipe, task)
    beside = {
        f"the pipeline that draws, {rules.sampler.dtype}": whole // 2,
        "the two classifiers, float32": _classifiers(rules.detectors),
    }
    table = Table(f"{eraser}, one erasure of {rules.name}", "GB", title_style="bold")
    table.add_row("the base pipeline, float32", f"{whole / 1e9:.1f}")
    table.add_row("at the peak, base pipeline included", f"{alive.peak / 1e9:.1f}")
    for name, count in beside.items():
        table.add_row(f"beside it: {name}", f"{count / 1e9:.1f}")
    table.add_row("together", f"{(alive.peak + sum(beside.values())) / 1e9:.1f}")
    console.print(table)


def _classifiers(rules: object) -> int:
    """Bytes of both classifiers, without making them."""
    assert isinstance(rules, ViTDetectors)
    with torch.device("meta"):
        models = [
            timm.create_model(rules.architecture, num_classes=len(spec.labels))
            for spec in (rules.style, rules.object)
        ]
    return sum(weight.nbytes for model in models for weight in model.parameters())


def main() -> None:
    """Run the command."""
    run_app(app)


if __name__ == "__main__":
    main()
