"""Open a run: base model, detectors, models and images of an evaluation."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from unlearncanvas.canvases.load import load_detectors
from unlearncanvas.canvases.sources import Sources
from unlearncanvas.engine.callbacks import Callback, NullCallback
from unlearncanvas.engine.drawing import Drawer
from unlearncanvas.engine.editing import Editing, ignore_loss
from unlearncanvas.engine.evaluation import Evaluation
from unlearncanvas.engine.grid import Grid
from unlearncanvas.engine.model_store import ModelStore
from unlearncanvas.engine.recipe import Recipe
from unlearncanvas.engine.reference_features import open_reference
from unlearncanvas.engine.runner import Runner
from unlearncanvas.engine.scoring import Scoring
from unlearncanvas.engine.training_images import TrainingImages
from unlearncanvas.pipelines.base_model import load_base


@contextmanager
def opened(evaluation: Evaluation, callback: Callback | None = None) -> Iterator[Runner]:
    """Load detectors and base model, and give the runner of an evaluation.

    Raises:
        ValueError: If the model cannot be loaded or the detectors were not made for it.
    """
    callback, grid = callback or NullCallback(), evaluation.grid
    detectors = load_detectors(
        grid.detectors, grid.extractors(), device=evaluation.device, sources=evaluation.sources
    )
    store = store_of(
        grid,
        model=evaluation.model,
        device=evaluation.device,
        sources=evaluation.sources,
        root=evaluation.root,
        folder_of=evaluation.folder_of,
        half=evaluation.artifacts == "half",
        on_loss=callback.loss,
    )
    if not evaluation.skip_base_check:
        detectors.accept(evaluation.model, store.base_digest)
    drawer = Drawer(
        grid=grid,
        detectors=detectors,
        device=evaluation.device,
        keep_images=evaluation.keep_images,
        on_batch=callback.drawn,
    )
    runner = Runner(
        evaluation=evaluation, callback=callback, store=store, drawer=drawer, detectors=detectors
    )
    runner.scoring = Scoring(
        reference=open_reference(
            grid, detectors, evaluation.sources, evaluation.root / "reference"
        ),
        device=evaluation.device,
        find=runner.find,
        artifact=runner.artifact_of,
        model_digest=store.model_digest,
    )
    yield runner


def store_of(
    grid: Grid,
    *,
    model: str,
    device: torch.device,
    sources: Sources,
    root: Path,
    folder_of: Callable[[Recipe], str],
    half: bool = False,
    on_loss: Callable[[str, int, float], None] = ignore_loss,
) -> ModelStore:
    """Return a store below a folder; nothing is loaded yet.

    Args:
        grid: Images that methods learn from, precision of their work, sampler.
        model: Base model.
        device: Where methods work and images are drawn.
        sources: Where real images are.
        root: Folder of all models.
        folder_of: Returns the folder of a recipe's artifact below it.
        half: Store artifacts in half precision.
        on_loss: Called with name, step and value of losses.
    """
    images = TrainingImages(
        protocol=grid, base_digest="", cache_dir=root / "gallery", sources=sources
    )
    editing = Editing(
        base=model,
        device=device,
        dtype=getattr(torch, grid.erase_dtype),
        images=images,
        half=half,
        on_loss=on_loss,
    )
    return ModelStore(
        load=lambda: load_base(model),
        editing=editing,
        sampler=grid.sampler,
        folder=lambda recipe: root / folder_of(recipe),
    )
