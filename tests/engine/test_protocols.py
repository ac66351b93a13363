"""The kind of a protocol file names the folder of its evaluation, in this package or outside."""

import logging
import subprocess
import sys

import pytest
import yaml

from unlearncanvas.core.registry import find_config, names, read_yaml
from unlearncanvas.engine.protocols import kind_of, load_any, protocol_class
from unlearncanvas.evaluations.backdoor.protocol import BackdoorProtocol
from unlearncanvas.evaluations.grid.protocol import GridProtocol, load_protocol

OUTSIDE = """
from typing import Literal

from unlearncanvas.engine.protocols import EvaluationProtocol


class Probes(EvaluationProtocol):
    kind: Literal["probing.white_box"]
    probes: tuple[str, ...]

    @property
    def digest(self):
        return "0" * 64

    def amount(self, tier):
        return f"{len(self.probes)} probes"

    def entries(self):
        return [(probe, ["white box"]) for probe in self.probes]
"""
RULES = {
    "kind": "probing.white_box", "name": "mine", "title": "Mine", "probes": ["gcg", "p4d"],
    "default_tier": "full", "tiers": {"full": {}},
}  # fmt: skip


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """The path of a protocol file whose evaluation is a package from outside."""
    package = tmp_path / "probing" / "white_box"
    package.mkdir(parents=True)
    (package / "protocol.py").write_text(OUTSIDE)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield written(tmp_path, RULES)
    for module in [name for name in sys.modules if name.partition(".")[0] == "probing"]:
        del sys.modules[module]


def written(folder, rules):
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(rules))
    return str(path)


@pytest.mark.parametrize("name", names("protocols"))
def test_every_shipped_protocol_names_its_kind(name):
    assert "kind" in read_yaml(find_config("protocols", name))
    expected = BackdoorProtocol if name.startswith("backdoor") else GridProtocol
    assert protocol_class(kind_of(name)) is expected
    assert type(load_any(name)) is expected


def test_a_kind_with_a_dot_is_a_package_from_outside(outside):
    rules = load_any(outside)
    assert (kind_of(outside), rules.name) == ("probing.white_box", "mine")
    assert rules.amount("full") == "2 probes"
    assert rules.entries() == [("gcg", ["white box"]), ("p4d", ["white box"])]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("gird", "unknown kind of protocol 'gird'; did you mean grid.* choose from backdoor, grid"),
        (".grid", "unknown kind of protocol '.grid'"),
        (3, "unknown kind of protocol '3'"),
        ("no_such.package", "cannot import no_such.package.protocol: .*; kinds of this package"),
        ("probing.white_box.protocol", "cannot import probing.white_box.protocol.protocol"),
    ],
)
def test_an_unknown_kind_is_one_line(outside, tmp_path, kind, message):
    with pytest.raises(ValueError, match=message) as caught:
        load_any(written(tmp_path, RULES | {"kind": kind}))
    assert "\n" not in str(caught.value)


def test_a_module_holds_one_protocol(outside, tmp_path):
    (tmp_path / "probing" / "white_box" / "protocol.py").write_text("import abc")
    with pytest.raises(ValueError, match="must hold one EvaluationProtocol, found 0"):
        load_any(outside)


@pytest.mark.parametrize(("name", "kind"), [("mini", "grid"), ("backdoor", "backdoor")])
def test_a_file_of_before_is_read_with_a_notice(tmp_path, caplog, name, kind):
    rules = read_yaml(find_config("protocols", name))
    del rules["kind"]
    path = written(tmp_path, rules)
    with caplog.at_level(logging.WARNING):
        found = load_any(path)
    assert found == load_any(name)
    assert [record.getMessage() for record in caplog.records] == [
        f"{path} has no kind and is read as 'kind: {kind}'; add that line, 0.8 requires it"
    ]


def test_the_kind_of_a_base_is_the_files_own(tmp_path, caplog):
    path = written(tmp_path, {"base": "mini", "name": "mine"})
    assert load_any(path).kind == "grid"
    assert caplog.records == []


def test_a_protocol_of_another_kind_is_refused():
    with pytest.raises(ValueError, match="protocol backdoor is of kind backdoor, expected grid"):
        load_protocol("backdoor")


def test_protocols_are_read_without_torch():
    code = (
        "import sys\n"
        "from unlearncanvas.engine.protocols import load_any\n"
        "print(*(load_any(name).entries()[0][0] for name in ('mini', 'backdoor')))\n"
        "print({'torch', 'diffusers', 'transformers', 'pandas'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["Watercolor badt2i-pixel", "set()"]
