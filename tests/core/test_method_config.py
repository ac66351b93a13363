"""What configs say: typed, one fact once, and true of the class."""

import dataclasses
import logging
import re
from importlib import import_module

import pytest
import yaml

from unlearncanvas.core.bibtex import read_entry
from unlearncanvas.core.building import import_class
from unlearncanvas.core.digests import digest_json
from unlearncanvas.core.method_config import (
    METHOD_CONFIGS,
    EraserConfig,
    MetricConfig,
    load_metric,
    read_config,
)
from unlearncanvas.core.registry import find_config, names
from unlearncanvas.pipelines.methods import load_eraser
from unlearncanvas.pipelines.ufe import count_work

METHODS = [(kind, name) for kind in METHOD_CONFIGS for name in names(kind)]
ENTRY = "@misc{doe2024a, title = {A}, author = {Doe, Jane and Roe, Max}, year = 2024}"
SETTINGS = {
    "ca": "446ff3b5d437",
    "ediff": "ecdd7e49c890",
    "esd": "b32e173d259f",
    "finetune-reversal": "e9e1ca6bc670",
    "fmn": "99d3b63a21f3",
    "ft": "190d71a0bad6",
    "ga": "39430c5f9032",
    "noise": "82e81eff8fdb",
    "none": "82e81eff8fdb",
    "rickrolling-removal": "73ed08be8ce2",
    "salun": "1a4765909cce",
    "seot": "826f09d6e06a",
    "shs": "bda98de43874",
    "skd-cag": "22ce6baadbe6",
    "skd": "e9e1ca6bc670",
    "spm": "222d236c00c9",
    "t2ishield-edit": "722f558dde8a",
    "uce": "e753e1c51f02",
    "badt2i-object": "43aca7d866ad",
    "badt2i-pixel": "7f8d3114349a",
    "badt2i-style-multi": "8078f5cb9573",
    "badt2i-style": "e5830e02b850",
    "evil-edit": "8b3772d23137",
    "rickrolling-taa": "7ff26b5975a9",
    "rickrolling-tpa": "c9bc2ac53586",
}
"""Digest of the settings without a preset, with sd15 and with mini."""


def config_of(kind, name):
    return read_config(METHOD_CONFIGS[kind], find_config(kind, name))


def test_the_settings_in_force_are_pinned():
    """Whether a value stands in the YAML file or in the class, it is this one."""
    found = {
        name: digest_json(
            [load_eraser(name, preset=p, kind=kind).settings for p in (None, "sd15", "mini")]
        )[:12]
        for kind, name in METHODS
    }
    assert found == SETTINGS


@pytest.mark.parametrize(("kind", "name"), METHODS)
def test_a_value_stands_once(kind, name):
    config = config_of(kind, name)
    cls, in_force = import_class(config.class_path), load_eraser(name, preset=None, kind=kind)
    defaults = {field.name: field.default for field in dataclasses.fields(cls)}
    assert not [key for key, value in config.settings.items() if _same(value, defaults[key])]
    for preset in config.presets.values():
        assert not [key for key, value in preset.items() if _same(value, in_force.settings[key])]


def test_a_metrics_value_stands_once():
    for name in names("metrics"):
        config = read_config(MetricConfig, find_config("metrics", name))
        fields = dataclasses.fields(import_class(config.class_path))
        defaults = {field.name: field.default for field in fields}
        assert not [key for key, value in config.settings.items() if value == defaults[key]]


def _same(value, other):
    return type(value) is type(other) and value == other


@pytest.mark.parametrize(("kind", "name"), METHODS)
def test_what_a_config_says_is_true_of_the_class(kind, name):
    about = config_of(kind, name).about
    cls = import_class(config_of(kind, name).class_path)
    assert (about.needs, about.artifact) == (cls.needs, cls.leaves)
    assert set(about.ufe) == set(config_of(kind, name).presets)
    for preset, work in about.ufe.items():
        eraser = load_eraser(name, preset=preset, kind=kind).eraser
        assert work.mean == eraser.planned_ufe()
        assert work.std == pytest.approx(eraser.planned_ufe_std(), abs=0.1)


def test_what_a_config_says_of_the_work_is_what_a_run_takes(pipe, training_images, task):
    ga = load_eraser("ga", preset="mini").eraser
    supplied = training_images.fulfil(pipe, ga, task)
    with count_work(pipe) as work:
        ga.erase(pipe, supplied)
    pixels = next(iter(supplied.images.values())).pixels
    area = (pixels.shape[1] // 4 / pipe.unet.config.sample_size) ** 2
    assert work.ufe == pytest.approx(config_of("erasers", "ga").about.ufe["mini"].mean * area)


def test_what_a_config_says_of_a_metric_is_true_of_the_class():
    for name in names("metrics"):
        about = read_config(MetricConfig, find_config("metrics", name)).about
        metric = load_metric(name)
        assert about.title
        assert (about.column, about.unit) == (metric.label, metric.unit)
        assert about.higher_is_better == metric.higher_is_better


@pytest.mark.parametrize(("kind", "name"), METHODS)
def test_every_published_method_says_where_it_comes_from(kind, name):
    about = config_of(kind, name).about
    assert about.title
    assert about.family
    if about.family != "baseline":
        assert about.paper
        assert about.code
        assert about.license
    if about.paper and about.paper.arxiv and name != "t2ishield-edit":  # it names the conference
        assert (
            about.paper.arxiv
            in import_module(config_of(kind, name).class_path.rpartition(".")[0]).__doc__
        )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"class": None}, "needs a line 'class: package.module.Class', got None"),
        ({"about": {"titel": "x"}}, "about.titel: Extra inputs are not permitted, got 'x'"),
        ({"about": {"needs": ["anchors"]}}, "about.needs.0: Input should be 'anchor', 'retain'"),
        ({"about": {"artifact": "lora"}}, "about.artifact: Input should be 'weights', 'adapter'"),
        ({"about": {"code": "https://github.com/a/b"}}, "about.code: String should match"),
        ({"about": {"commit": 2767849}}, "about.commit: Input should be a valid string, got 27678"),
        ({"about": {"ufe": {"mini": -1}}}, "about.ufe.mini.mean: Input should be greater"),
        ({"about": {"ufe": {"mimi": 1}}}, "unknown preset under about: ufe 'mimi'; did you mean"),
        ({"about": {"bibtex": "Doe 2024"}}, "about.bibtex: bibtex takes one entry, @misc{key"),
        ({"about": {"bibtex": 3}}, "about.bibtex: Input should be a valid dictionary"),
        ({"about": 3}, "about: must hold keys and values, got 3"),
        ({"presets": [1]}, "presets: must hold keys and values, got [1]"),
        ({"presets": {"mini": 1}}, "presets.mini: must hold keys and values, got 1"),
        ({"tune": {"lr": {"low": 1}}}, "tune.lr: takes choices: [..], or low < high"),
    ],
)
def test_a_wrong_config_is_one_line(changes, message, tmp_path):
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump({"class": "erasers.esd.ESD", "presets": {"mini": {}}} | changes))
    with pytest.raises(ValueError, match=r"wrong\.yaml: ") as caught:
        read_config(EraserConfig, path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_key_that_is_no_key_is_a_setting_that_the_class_does_not_have(tmp_path):
    path = tmp_path / "wrong.yaml"
    path.write_text("class: erasers.esd.ESD\npreset: {mini: {}}\n")
    with pytest.raises(ValueError, match="unknown setting of eraser wrong 'preset'"):
        load_eraser(str(path), preset=None)


def test_empty_parts_are_none(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("class: erasers.esd.ESD\nabout:\npresets: {mini:}\ntune:\nsteps: 3\n")
    config = read_config(EraserConfig, path)
    assert config.settings_for("mini") == config.settings_for(None) == {"steps": 3}
    assert (config.about.ufe, config.tune) == ({}, {})


def test_keys_of_older_versions_are_read_with_a_notice(tmp_path, caplog):
    path = tmp_path / "own.yaml"
    path.write_text(
        "class: erasers.esd.ESD\nabout: {family: x, paper: Doe 2024, code: a/b, licence: MIT}\n"
    )
    with caplog.at_level(logging.WARNING):
        about = read_config(EraserConfig, path).about
    assert (about.family, about.license, about.paper) == ("x", "MIT", None)
    assert "licence is now spelled license" in caplog.text
    assert "give the paper's entry under bibtex" in caplog.text


@pytest.mark.parametrize(
    ("entry", "label"),
    [
        (ENTRY, "Doe and Roe 2024"),
        ("@misc{k, title={A}, author={Jane Doe}, year={2024}, journal={J}}", "Doe 2024, J"),
        (
            '@inproceedings{k,\n title="A {B}, c = d", author = {D{\\"o}e, A and B, C and\n D, E},'
            " year=2024, eprint={2401.05779}, booktitle = {C},}",
            "Doe et al. 2024, arXiv 2401.05779",
        ),
    ],
)
def test_entries_as_the_world_writes_them(entry, label):
    assert read_entry(entry).label == label


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("@misc{k, title = {A}, author = {B}}", "the bibtex entry 'k' has no year"),
        ("@misc{k, title = {A}, author = {}, year = {2024}}", "has no author"),
        (ENTRY + "\n" + ENTRY, "a bibtex value without braces is one word"),
        (ENTRY.replace("2024}", "{2024}}") * 2, "a bibtex field is written name = {value}, got"),
        ("@misc{k, title = {A, author = {B}, year = {2024}}", "a bibtex value is not closed"),
        (ENTRY.replace("2024}", "2024, eprint = {math/0211159}}"), "an arXiv number is written"),
        (ENTRY.replace("2024}", "24}"), "greater than or equal to 1900"),
    ],
)
def test_a_wrong_entry_says_what_is_wrong(entry, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        read_entry(entry)
