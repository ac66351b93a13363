"""A protocol of six cells and two steps on the real mini canvas, for end-to-end tests."""

import json
import os
import subprocess
import sys

import yaml

from unlearncanvas.config import find_config, read_yaml

ESD_SETTINGS = ["--set", "steps=2", "--set", "batch_size=1", "--set", "num_inference_steps=2"]


def write_protocol(folder, **changes):
    rules = read_yaml(find_config("protocols", "mini"))
    rules.update(
        name="small",
        styles=["Photo", "Mosaic", "Neon Lines"],
        objects=["Cat", "Sun"],
        targets={"style": ["Mosaic", "Neon Lines"], "object": ["Cat"]},
        seeds=[188, 288],
        metrics=[name for name in rules["metrics"] if name != "kid_minicanvas"],
        tiers={"quick": {}, "smoke": {"targets": {"style": ["Mosaic"]}, "num_seeds": 1}},
    )
    rules["sampler"].update(num_inference_steps=2, batch_size=4)
    rules.update(changes)
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(rules))
    return path


def command(protocol, out, *options, eraser="esd"):
    return [
        sys.executable, "-m", "unlearncanvas.bench", "--eraser", eraser, "--protocol",
        str(protocol), "--out", str(out), "--device", "cpu", *ESD_SETTINGS, *options,
    ]  # fmt: skip


def environment():
    return {**os.environ, "COLUMNS": "160", "HF_HUB_OFFLINE": "1"}


def bench(protocol, out, *options, eraser="esd"):
    return subprocess.run(
        command(protocol, out, *options, eraser=eraser),
        capture_output=True, text=True, env=environment(), check=False,
    )  # fmt: skip


def numbers(out):
    """All result files without what depends on the clock and the machine."""
    timed = {"seconds", "seconds_per_image", "erase_seconds", "peak_memory_bytes"}

    def clean(value):
        if isinstance(value, dict):
            return {key: clean(item) for key, item in value.items() if key not in timed}
        return [clean(item) for item in value] if isinstance(value, list) else value

    return {
        str(path.relative_to(out)): clean(json.loads(path.read_text()))
        for path in sorted(out.rglob("result*.json"))
    }
