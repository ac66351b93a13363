"""Work is counted per sample: forward 1, backward 2, recomputation 1, by latent area."""

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from erasers.esd import ESD
from unlearncanvas.pipelines.methods import load_eraser
from unlearncanvas.pipelines.ufe import count_work, forecast
from unlearncanvas.results.reading import read_results


def forward(unet, pipe, batch, side=8):
    text = torch.zeros(batch, 77, pipe.unet.config.cross_attention_dim)
    return unet(torch.zeros(batch, 4, side, side), torch.tensor(1), text).sample


def test_forward_counts_one_a_sample(pipe):
    with count_work(pipe) as work:
        forward(pipe.unet, pipe, 3)
    assert work.ufe == 3


def test_backward_counts_two_more_and_recomputation_one(pipe):
    pipe.unet.requires_grad_(True)
    with count_work(pipe) as work:
        forward(pipe.unet, pipe, 2).sum().backward()
    assert work.ufe == 6
    pipe.unet.train()
    pipe.unet.enable_gradient_checkpointing()
    with count_work(pipe) as work:
        forward(pipe.unet, pipe, 2).sum().backward()
    assert work.ufe == 8


def test_a_frozen_copy_counts_too_and_area_scales(pipe):
    with count_work(pipe) as work:
        forward(copy.deepcopy(pipe.unet), pipe, 1)
        forward(pipe.unet, pipe, 1, side=16)
    assert work.ufe == pytest.approx(5)


def test_text_forwards_are_counted_and_hooks_removed(pipe):
    with count_work(pipe) as work:
        pipe.encode_prompt(["a", "b"], "cpu", 1, False)
    assert work.text_forwards == 2
    forward(pipe.unet, pipe, 1)
    assert work.ufe == 0
    assert not pipe.unet._forward_hooks


def test_esd_takes_the_work_it_plans(pipe, task):
    """What one seed takes is spread as it says; the work of many is what it plans."""
    eraser = ESD(steps=4, batch_size=2, num_inference_steps=5, lr=1e-6)
    works = []
    for seed in range(30):
        with count_work(pipe) as work:
            eraser.erase(pipe, replace(task, seed=seed))
        works.append(work.ufe)
    std = eraser.planned_ufe_std()
    assert np.mean(works) == pytest.approx(eraser.planned_ufe(), abs=3 * std / 30**0.5)
    assert np.std(works, ddof=1) == pytest.approx(std, rel=0.4)


def test_forecasts_agree_with_the_runs_in_the_docs():
    """A seed's draws change ESD and SPM; they are forecast with their spread."""
    runs = Path(__file__).parents[2] / "docs" / "results"
    for row in read_results(runs / "mini-quick-eleven.json").means:
        eraser = load_eraser(row.label, preset="mini").eraser
        spread = 3 * eraser.planned_ufe_std()
        assert row.ufe == pytest.approx(eraser.planned_ufe(), abs=spread + 1e-9), row.label
    assert forecast(load_eraser("esd", preset="mini").eraser) == "about 8,000 ± 273"
    assert forecast(load_eraser("uce", preset="mini").eraser) == "0"
