"""Base pipelines in every form: a folder, a CompVis checkpoint, a UNet, a part of one, the Hub."""

import httpx2
import pytest
import torch
from huggingface_hub.errors import (
    GatedRepoError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from safetensors.torch import save_file

from tests.fixtures.compvis import to_compvis
from unlearncanvas.pipelines import base_model
from unlearncanvas.pipelines.artifacts import base_digest
from unlearncanvas.pipelines.base_model import load_base


@pytest.fixture(scope="session")
def folder(tiny_base, tmp_path_factory):
    path = tmp_path_factory.mktemp("base") / "pipeline"
    tiny_base.save_pretrained(path)
    return path


@pytest.fixture
def other(pipe):
    """The same pipeline with another UNet."""
    with torch.no_grad():
        for weight in pipe.unet.parameters():
            weight.mul_(1.5)
    return pipe


def test_a_saved_base_loads_again(tiny_base, folder):
    assert base_digest(load_base(str(folder))) == base_digest(tiny_base)


def test_a_folder_that_is_no_pipeline(folder, tmp_path):
    with pytest.raises(ValueError, match=r"has no model_index\.json$"):
        load_base(str(tmp_path))
    with pytest.raises(ValueError, match=r"did you mean .*pipeline\?"):
        load_base(str(folder.parent.parent))
    (tmp_path / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    with pytest.raises(ValueError, match="cannot load") as caught:
        load_base(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_a_name_that_is_neither_folder_nor_repository():
    with pytest.raises(ValueError, match="no such folder, and a model of the Hub is written"):
        load_base("nowhere")


@pytest.mark.parametrize("suffix", ["safetensors", "ckpt"])
def test_a_compvis_checkpoint_is_the_same_model(other, folder, tmp_path, suffix):
    path = tmp_path / f"whole.{suffix}"
    tensors = to_compvis(other)
    if suffix == "ckpt":
        torch.save({"global_step": 7000, "state_dict": tensors}, path)
    else:
        save_file(tensors, path)
    assert base_digest(load_base(f"{folder}+{path}")) == base_digest(other)


@pytest.mark.parametrize("prefix", ["", "unet."])
def test_a_whole_unet_and_a_part_of_one(other, folder, tmp_path, prefix):
    tensors = {f"{prefix}{name}": value for name, value in other.unet.state_dict().items()}
    save_file(tensors, tmp_path / "unet.safetensors")
    assert base_digest(load_base(f"{folder}+{tmp_path}/unet.safetensors")) == base_digest(other)
    part = {name: value for name, value in tensors.items() if "attn2" in name}
    save_file(part, tmp_path / "part.safetensors")
    loaded, base = load_base(f"{folder}+{tmp_path}/part.safetensors"), load_base(str(folder))
    changed = {
        name
        for name, value in loaded.unet.state_dict().items()
        if not torch.equal(value, base.unet.state_dict()[name])
    }
    assert changed == {name.removeprefix("unet.") for name in part}


def test_weights_that_do_not_fit_or_change_nothing(tiny_base, folder, tmp_path):
    def refused(tensors, match):
        save_file(tensors, tmp_path / "w.safetensors")
        with pytest.raises(ValueError, match=match):
            load_base(f"{folder}+{tmp_path}/w.safetensors")

    bias = tiny_base.unet.conv_in.bias
    refused({"conv_in.bais": bias}, "no tensor named 'conv_in.bais'")
    refused({"conv_in.bias": bias[:3].clone()}, r"has the shape \[3\], the UNet's is \[16\]")
    refused({"conv_in.bias": bias}, "changes nothing")
    with pytest.raises(ValueError, match="no such weights file"):
        load_base(f"{folder}+{tmp_path}/missing.safetensors")
    with pytest.raises(ValueError, match="name the pipeline that it belongs to"):
        load_base(f"{tmp_path}/w.safetensors")


class Payload:
    def __reduce__(self):
        return (print, ("executed",))


def test_damaged_files_and_pickles_with_code(folder, tmp_path, capsys):
    whole = tmp_path / "whole.safetensors"
    save_file({"conv_in.bias": torch.zeros(16)}, whole)
    whole.write_bytes(whole.read_bytes()[:-8])
    with pytest.raises(ValueError, match="truncated or damaged, download it again"):
        load_base(f"{folder}+{whole}")
    torch.save({"conv_in.bias": torch.zeros(16)}, tmp_path / "whole.ckpt")
    cut = tmp_path / "cut.ckpt"
    cut.write_bytes((tmp_path / "whole.ckpt").read_bytes()[:-300])
    with pytest.raises(ValueError, match="truncated or damaged, download it again"):
        load_base(f"{folder}+{cut}")
    torch.save({"state_dict": Payload()}, tmp_path / "evil.ckpt")
    with pytest.raises(ValueError, match="without running the code in it"):
        load_base(f"{folder}+{tmp_path}/evil.ckpt")
    assert "executed" not in capsys.readouterr().out


def answer(status):
    return httpx2.Response(status, request=httpx2.Request("GET", "https://hub.invalid"))


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (GatedRepoError("gated", response=answer(403)), "accept its terms .* `hf auth login`"),
        (RepositoryNotFoundError("none", response=answer(404)), "has no such repository"),
        (RevisionNotFoundError("none", response=answer(404)), "check what stands behind the @"),
        (LocalEntryNotFoundError("offline"), "the Hub is out of reach .*`hf download`"),
    ],
)
def test_what_the_hub_refuses_is_said_in_one_line(monkeypatch, raised, said):
    """The Hub's own errors, raised where it would raise them."""

    def refuse(*_, **__):
        raise raised

    monkeypatch.setattr(base_model, "snapshot_download", refuse)
    with pytest.raises(ValueError, match=said) as caught:
        load_base("owner/name/sub/folder@v2")
    assert "\n" not in str(caught.value)


def test_a_model_in_a_folder_of_a_cached_repository(tiny_base, tmp_path, monkeypatch):
    """The layout of NormalUhr/UnlearnCanvas-ckpts, as the Hub's cache holds it; no network."""
    commit, cache = "0123456789" * 4, tmp_path / "hub"
    repo = cache / "models--NormalUhr--UnlearnCanvas-ckpts"
    tiny_base.save_pretrained(repo / "snapshots" / commit / "diffusion" / "diffuser" / "style50")
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(commit)
    monkeypatch.setattr(base_model.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(base_model.constants, "HF_HUB_CACHE", str(cache))
    name = "NormalUhr/UnlearnCanvas-ckpts/diffusion/diffuser/style50"
    for revision in ("", "@main", f"@{commit}"):
        assert base_digest(load_base(name + revision)) == base_digest(tiny_base)
    with pytest.raises(ValueError, match="has no pipeline in 'diffusion/other'"):
        load_base("NormalUhr/UnlearnCanvas-ckpts/diffusion/other")
    with pytest.raises(ValueError, match="HF_HUB_OFFLINE is set and it is not in the cache"):
        load_base("someone/else/folder")


@pytest.mark.parametrize("download", [True, False])
def test_a_model_of_the_hub_is_downloaded_only_if_it_may(monkeypatch, download):
    asked = []

    def refuse(*args, **kwargs):
        asked.append(kwargs["local_files_only"])
        raise LocalEntryNotFoundError("not here")

    monkeypatch.setattr(base_model, "snapshot_download", refuse)
    monkeypatch.setattr(base_model.StableDiffusionPipeline, "download", refuse)
    for name in ("owner/name", "owner/name/folder"):
        with pytest.raises(ValueError, match="in the cache"):
            load_base(name, download=download)
    assert asked == [not download] * 2
