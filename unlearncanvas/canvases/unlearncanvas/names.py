"""How the files of UnlearnCanvas spell a style."""

PHOTO = "Photo"
"""What protocols call the theme of the photos that styles were made from."""
SEED_IMAGES = "Seed_Images"
"""What UnlearnCanvas' files call it."""


def theme(style: str) -> str:
    """Return how UnlearnCanvas' files spell a style: ``Van_Gogh``, ``Seed_Images`` for Photo."""
    return SEED_IMAGES if style == PHOTO else style.replace(" ", "_")
