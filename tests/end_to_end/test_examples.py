"""What stands in examples/ is what the command line takes."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.fixtures.arguments import from_arguments
from unlearncanvas.cli.main import COMMANDS
from unlearncanvas.core.registry import choose, names
from unlearncanvas.engine.shards import Shard
from unlearncanvas.results.run_config import read_options

EXAMPLES = Path(__file__).parents[2] / "examples"


def commands():
    texts = [path.read_text().replace("\\\n", " ") for path in sorted(EXAMPLES.glob("*.sh"))]
    job = yaml.safe_load((EXAMPLES / "kuberay.yaml").read_text())
    texts.append(job["spec"]["entrypoint"])
    return [
        found for text in texts for found in re.findall(r"-m unlearncanvas\.bench ([^\"#]+)", text)
    ]


def test_there_is_one_of_each():
    assert len(commands()) == 3


@pytest.mark.parametrize("line", commands())
def test_the_bench_command_takes_it(line):
    config = read_options(from_arguments(shlex.split(line)))
    choose("protocol", config.protocol, names("protocols"))
    for eraser in config.erasers:
        choose("eraser", eraser, names("erasers"))


@pytest.mark.parametrize("script", sorted(EXAMPLES.glob("*.sh")), ids=lambda path: path.name)
def test_the_shell_can_read_it(script):
    done = subprocess.run(["bash", "-n", str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_array_of_slurm_is_the_shards():
    """Slurm's own variables, as an array of eight sets them, name eight shards."""
    text = (EXAMPLES / "slurm.sh").read_text()
    first, last = map(int, re.search(r"--array=(\d+)-(\d+)", text).groups())
    assert first == 0
    template = re.search(r"--shard (\S+?)\"", text)[1].replace("\\", "")
    for task in range(first, last + 1):
        shard = template.replace("$SLURM_ARRAY_TASK_ID", str(task))
        shard = shard.replace("$SLURM_ARRAY_TASK_COUNT", str(last - first + 1))
        assert Shard.parse(shard) == Shard(index=task, count=8)


def test_the_manifest_asks_for_a_gpu_everywhere():
    spec = yaml.safe_load((EXAMPLES / "kuberay.yaml").read_text())["spec"]
    groups = [spec["rayClusterSpec"]["headGroupSpec"], *spec["rayClusterSpec"]["workerGroupSpecs"]]
    for group in groups:
        (container,) = group["template"]["spec"]["containers"]
        assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    pinned = (EXAMPLES.parent / "constraints.txt").read_text()
    assert f"ray=={spec['rayClusterSpec']['rayVersion']}\n" in pinned


def workflow_steps():
    path = EXAMPLES.parent / ".github" / "workflows" / "submissions.yml"
    return yaml.safe_load(path.read_text())["jobs"]["validate"]["steps"]


def test_the_workflow_for_submissions_runs_no_code_of_a_pull_request():
    """Its steps call our commands; what is installed comes from the base branch."""
    typed = "\n".join(step["run"] for step in workflow_steps() if "run" in step)
    found = set(re.findall(r"unlearncanvas (\w+) ", typed))
    assert found == {"validate", "leaderboard"} <= set(COMMANDS)
    installed = re.search(r"pip install .*", typed).group()
    assert installed.endswith(" ./base")
    assert not re.search(r"(python|bash|sh|source|pip install)[^\n]*head", typed)


@pytest.mark.parametrize(
    ("added", "refused"),
    [("verified.json", True), ("deep/verified.json", True), ("results.json", False)],
)
def test_a_submitter_does_not_verify_himself(tmp_path, added, refused):
    (script,) = (step["run"] for step in workflow_steps() if "maintainers" in step.get("name", ""))
    head = tmp_path / "head"

    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        command = ["git", "-C", str(head), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    head.mkdir()
    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "base")
    base = git("rev-parse", "HEAD")
    path = head / "submissions" / "mini" / "uce" / "1" / added
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    git("add", ".")
    git("commit", "-q", "-m", "a bundle")
    done = subprocess.run(
        ["bash", "-e", "-c", script], cwd=tmp_path, env={**os.environ, "BASE": base}, check=False
    )
    assert (done.returncode == 1) is refused
