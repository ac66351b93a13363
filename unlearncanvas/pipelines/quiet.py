"""Silence the progress bars and remarks of libraries."""

import warnings

from diffusers.utils import logging as diffusers_logging
from transformers.utils import logging as transformers_logging


def silence_libraries() -> None:
    """Show our own progress bar only; hide the bars and warnings of libraries."""
    for library in (diffusers_logging, transformers_logging):
        library.disable_progress_bar()
        library.set_verbosity_error()
    warnings.filterwarnings("ignore", message="Dynamo detected a call to a", category=UserWarning)
