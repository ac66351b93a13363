"""The search: its space comes from the config, its objective by hand, its trials are kept."""

import json
import subprocess
import sys

import pytest
import yaml

from tests.fixtures import small_backdoor
from tests.fixtures.in_process import run
from tests.fixtures.small_grid import environment, write_protocol
from unlearncanvas.cli.tune import search_space, suggest, weighed
from unlearncanvas.core.method_config import Choices, Range
from unlearncanvas.core.registry import read_yaml


def test_objective_by_hand():
    whole, half = dict.fromkeys("abc", 100), {"a": 50, "b": 100, "c": 100}
    assert weighed({"style": whole, "object": half}) == pytest.approx((100 + 75) / 2)
    assert weighed({"style": {"a": 0, "b": 100}}) == 0


class FixedTrial:
    def suggest_float(self, name, low, high, *, log):
        return low * 1.23456 if log else high

    def suggest_categorical(self, name, choices):
        return choices[-1]


def test_suggestions_are_rounded_ranges_and_choices():
    trial = FixedTrial()
    assert suggest(trial, "lr", Range(low=1e-4, high=1e-2, log=True)) == 1.2e-4
    assert suggest(trial, "eta", Range(low=0.0, high=3.0)) == 3.0
    assert suggest(trial, "parameters", Choices(choices=("x", "full"))) == "full"


def test_a_config_without_a_space_says_where_to_write_one():
    with pytest.raises(ValueError, match="says nothing under 'tune'"):
        search_space("noise")


def test_a_search_runs_and_is_repeated_from_what_is_there(tmp_path):
    protocol = write_protocol(tmp_path, seeds=[1], tiers={"quick": {}, "search": {"num_seeds": 1}})
    config = {"class": "erasers.uce.UCE", "tune": {"lam": {"low": 0.1, "high": 1.0}}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(config))
    found = []
    for _ in range(2):
        done = subprocess.run(
            [
                sys.executable, "-m", "unlearncanvas.cli.main", "tune", str(tmp_path / "mine.yaml"),
                "--trials", "2", "--protocol", str(protocol), "--out", str(tmp_path / "runs"),
                "--device", "cpu",
            ],
            capture_output=True, text=True, env=environment(), check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        found.append(json.loads((tmp_path / "runs" / "tune" / "mine-small.json").read_text()))
    assert found[0]["trials"] == found[1]["trials"]
    assert found[0]["trials"][0]["params"] == {"lam": 0.5}  # the config's own setting comes first
    assert len(found[0]["trials"]) == 2
    assert (tmp_path / "runs" / "tune" / "mine-small.png").stat().st_size > 0


@pytest.mark.slow
def test_a_search_on_a_backdoor_protocol_weighs_removal_and_what_is_left(tmp_path):
    protocol = small_backdoor.write_protocol(tmp_path)
    rules = read_yaml(protocol) | {"attacks": ["evil-edit"], "tiers": {"quick": {}, "search": {}}}
    small_backdoor.rewrite(protocol, rules)
    config = {
        "class": "erasers.t2ishield_edit.T2IShieldEdit",
        "tune": {"lam": {"low": 0.1, "high": 1.0}},
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(config))
    done = run(
        "unlearncanvas.cli.main", "tune", str(tmp_path / "mine.yaml"), "--trials", "2",
        "--protocol", str(protocol), "--out", str(tmp_path / "runs"), "--device", "cpu",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "runs" / "tune" / "mine-bad.json").read_text())
    assert len(found["trials"]) == len(found["balances"]) == 2
    for balance in found["balances"].values():
        assert set(balance["evil-edit"]) > {"removal_accuracy", "as_asked"}
    assert "removal_accuracy" in done.stdout
