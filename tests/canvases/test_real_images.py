"""UnlearnCanvas as its folders and as its parquet files: captions, order, what is missing."""

import io

import numpy as np
import pytest
from datasets import Dataset, Features, Value
from datasets import Image as ImageFeature
from PIL import Image

from unlearncanvas.canvases.real_images import every, square
from unlearncanvas.canvases.sources import SHIPPED
from unlearncanvas.canvases.unlearncanvas.dataset import caption, open_dataset, parse_caption
from unlearncanvas.evaluations.grid.protocol import load_protocol
from unlearncanvas.types import Cell

UNUSED = (
    "Blue Blooming", "Crypto Punks", "Dreamweave", "Foliage Patchwork", "Impasto", "Palette Knife",
    "Pointillism", "Rainwash", "Realistic Watercolor", "Techno",
)  # fmt: skip
"""The ten of the dataset's 60 styles that the protocol leaves out."""
CELLS = [
    Cell(style=style, object=obj) for style in ("Photo", "Van Gogh") for obj in ("Cats", "Sea")
]


def picture(cell, index, width=20):
    """An image identified by its color."""
    shade = 40 * CELLS.index(cell) + 5 * index
    return Image.new("RGB", (width, 12), (shade, shade, shade))


def encoded(image):
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path):
    for cell in CELLS:
        place = tmp_path / "canvas" / ("Seed_Images" if cell.style == "Photo" else "Van_Gogh")
        (place / cell.object).mkdir(parents=True)
        for index in range(1, 5):  # PNG under the name of the real files: no loss
            (place / cell.object / f"{index}.jpg").write_bytes(encoded(picture(cell, index)))
    return tmp_path / "canvas"


@pytest.fixture
def parquet(tmp_path):
    """The columns of the Hub's files; the order of the rows is mixed, but for a caption's own."""
    rows = [
        {"image": {"bytes": encoded(picture(cell, index)), "path": None}, "text": caption(cell)}
        for index in range(1, 5)
        for cell in CELLS[:: 1 if index % 2 else -1]
    ]
    features = Features({"image": ImageFeature(), "text": Value("string")})
    (tmp_path / "data").mkdir()
    for part in range(2):
        half = Dataset.from_list(rows[8 * part : 8 * part + 8], features=features)
        half.to_parquet(str(tmp_path / "data" / f"train-0000{part}-of-00002-abc.parquet"))
    return tmp_path / "data"


def test_every_caption_is_read_back():
    """All 61 themes x 20 objects, as the dataset writes them and as prompts ask for them."""
    protocol = load_protocol("unlearncanvas")
    styles = [*protocol.styles, *UNUSED]
    assert (len(styles), len(protocol.objects)) == (61, 20)
    for style in styles:
        for obj in protocol.objects:
            cell = Cell(style=style, object=obj)
            assert parse_caption(caption(cell)) == cell
            assert parse_caption(protocol.ask(cell)) == cell
    assert caption(Cell(style="Photo", object="Architectures")) == (
        "An Architectures image in photo style"
    )


@pytest.mark.parametrize("text", ["", "Cats in Van Gogh style", "A Cats image in Van Gogh"])
def test_what_is_no_caption_is_refused(text):
    with pytest.raises(ValueError, match="not a caption of UnlearnCanvas"):
        parse_caption(text)


@pytest.mark.parametrize("kind", ["folder", "parquet"])
def test_images_come_by_cell_and_index(kind, request):
    source = open_dataset(str(request.getfixturevalue(kind)), indices=(4, 2))
    wanted = every(CELLS, 2)
    found = dict(source.read(wanted))
    assert sorted(found) == list(range(8))
    for place, (cell, number) in enumerate(wanted):
        index = (4, 2)[number]
        np.testing.assert_array_equal(found[place], np.asarray(picture(cell, index)))


def test_both_forms_are_the_same_images_to_a_digest(folder, parquet):
    one, two = (open_dataset(str(path), indices=(1, 2)) for path in (folder, parquet))
    assert one.identity == two.identity


def test_the_photos_folder_as_the_readme_spells_it(folder):
    (folder / "Seed_Images").rename(folder / "Seed_Image")
    source = open_dataset(str(folder), indices=(1,))
    assert len(dict(source.read(every(CELLS[:1], 1)))) == 1


def test_what_is_missing_or_damaged(folder, parquet, tmp_path):
    (folder / "Van_Gogh" / "Sea" / "3.jpg").write_bytes(b"half an ima")
    (folder / "Van_Gogh" / "Sea" / "4.jpg").unlink()
    for index, message in ((3, "is damaged, download it again"), (4, "is the download complete")):
        with pytest.raises(ValueError, match=message):
            list(open_dataset(str(folder), indices=(index,)).read(every(CELLS, 1)))
    with pytest.raises(ValueError, match=r"4 images are missing .*is the download complete"):
        list(open_dataset(str(parquet), indices=(9,)).read(every(CELLS, 1)))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"expected style/object/index.jpg"):
        open_dataset(str(tmp_path / "empty"), indices=(1,))
    with pytest.raises(ValueError, match="no such folder"):
        open_dataset(str(tmp_path / "nowhere"), indices=(1,))
    with pytest.raises(ValueError, match="name its folder with --dataset"):
        load_protocol("unlearncanvas").reference.open(SHIPPED)


def test_the_centre_square():
    image = np.zeros((10, 30, 3), dtype=np.uint8)
    image[:, 10:20] = 200
    assert square(image, 5).shape == (5, 5, 3)
    assert (square(image, 5) == 200).all()
