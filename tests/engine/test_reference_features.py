"""Features of real images: computed once for all processes, and again where they are damaged."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pytest

from unlearncanvas.canvases.load import load_detectors
from unlearncanvas.canvases.real_images import RealImageSource
from unlearncanvas.canvases.sources import SHIPPED, Sources
from unlearncanvas.engine.reference_features import ReferenceFeatures, open_reference
from unlearncanvas.evaluations.grid.protocol import load_protocol


@dataclass(frozen=True)
class Counted(RealImageSource):
    """A source that says how often it was read."""

    source: RealImageSource
    reads: list[int] = field(default_factory=list)

    @property
    def identity(self):
        return self.source.identity

    def read(self, wanted):
        self.reads.append(len(wanted))
        yield from self.source.read(wanted)


@pytest.fixture
def reference(tmp_path):
    """References that share a cache and no state."""
    rules = load_protocol("mini").model_copy(
        update={"styles": ("Photo", "Mosaic"), "objects": ("Cat", "Sun")}
    )
    source, detectors = Counted(rules.reference.open(SHIPPED)), load_detectors(rules.detectors)
    return lambda: ReferenceFeatures(
        grid=rules, source=source, detectors=detectors, cache_dir=tmp_path
    )


@pytest.mark.parametrize("damage", ["truncate", "flip", "no digest"])
def test_a_damaged_cache_is_made_again(reference, tmp_path, damage, caplog):
    first = reference().real(2)
    again = reference()
    (kept,) = tmp_path.glob("*.npz")
    data = bytearray(kept.read_bytes())
    if damage == "truncate":
        kept.write_bytes(data[:300])
    elif damage == "flip":
        data[len(data) // 2] ^= 16
        kept.write_bytes(data)
    else:
        kept.with_name(f"{kept.name}.sha256").unlink()
    found = again.real(2)
    assert again.source.reads == [8, 8]
    assert "making it again" in caplog.text
    for name, values in first.features.items():
        np.testing.assert_array_equal(found.features[name], values)


def test_painted_images_are_not_cached_and_a_dataset_is_asked_for(tmp_path, caplog):
    """A painting is made faster than its features are read; 77 GB are not shipped."""
    mini, photographs = load_protocol("mini"), load_protocol("unlearncanvas")
    detectors = load_detectors(mini.detectors)
    assert open_reference(mini, detectors, SHIPPED, tmp_path).cache_dir is None
    on_hub = Sources(dataset="OPTML-Group/UnlearnCanvas")
    assert open_reference(photographs, detectors, on_hub, tmp_path).cache_dir == tmp_path
    assert open_reference(photographs, detectors, SHIPPED, tmp_path) is None
    assert "(FID, KID, artifacts) are left out: real images are needed" in caplog.text


def test_two_at_once_compute_it_once(reference):
    references = [reference(), reference()]
    with ThreadPoolExecutor() as pool:
        one, two = pool.map(lambda item: item.real(2), references)
    assert references[0].source.reads == [8]
    np.testing.assert_array_equal(one.features["detectors"], two.features["detectors"])
