"""Command-line options made from the fields of :class:`RunConfig`, and read back."""

import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from unlearncanvas.cli import completion
from unlearncanvas.core.registry import read_yaml
from unlearncanvas.engine.run_flags import REPEATED, flag_of, from_flags, typed_flags
from unlearncanvas.results.run_config import (
    OPTIONS,
    SECTIONS,
    OptionError,
    RunConfig,
    read_options,
)


class Sectioned(TyperCommand):
    """A command whose options are listed in sections, the panels of its options."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write a list for each section; options without one come last."""
        options = [(getattr(item, "rich_help_panel", None), item) for item in self.get_params(ctx)]
        for section in (*SECTIONS, None):
            records = [item.get_help_record(ctx) for panel, item in options if panel == section]
            with formatter.section(section or "Other options"):
                formatter.write_dl([record for record in records if record is not None])


def one_option_a_field(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for each field in the place of its ``**flags``.

    Values stay text: the fields read and check them. An option that is not given is None.
    """
    own = [
        item
        for item in inspect.signature(command).parameters.values()
        if item.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    made = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_annotation(name)
        )
        for name in OPTIONS
    ]
    command.__signature__ = inspect.Signature([*own, *made])  # type: ignore[attr-defined]
    return command


def _annotation(name: str) -> Any:
    field = RunConfig.model_fields[name]
    switch = field.annotation is bool
    kind: Any = bool if switch else list[str] if name in REPEATED else str
    return Annotated[
        kind | None,
        typer.Option(
            flag_of(name),
            help=help_of(name),
            metavar=None if switch else OPTIONS[name].metavar,
            show_default=False,
            rich_help_panel=OPTIONS[name].section,
            autocompletion=completion.OF_OPTION.get(name),
        ),
    ]


def help_of(name: str) -> str:
    """Return a field's help text, on one line, with its default."""
    field = RunConfig.model_fields[name]
    default = "  [required]" if field.is_required() else f"  [default: {field.default}]"
    shown = field.is_required() or field.default
    return " ".join((field.description or "").split()) + (default if shown else "")


@contextmanager
def options_of(flags: Mapping[str, Any], path: Path | None) -> Iterator[RunConfig]:
    """Read the options of a command line and of a file; an error names the place of the value.

    Raises:
        ValueError: Naming the flag, or the file and its key.
    """
    typed = typed_flags(flags)

    def place(name: str) -> str:
        return flag_of(name) if path is None or name in typed else f"{path}: {name}"

    try:
        yield read_options(from_flags(typed, {} if path is None else read_file(path)))
    except OptionError as exc:
        raise ValueError(exc.named(place)) from exc


def read_file(path: Path) -> dict[str, Any]:
    """Return the options in a YAML file, or those that a ``results.json`` was made with.

    Raises:
        ValueError: If the file has none.
    """
    if path.suffix != ".json":
        return read_yaml(path)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as exc:
        raise ValueError(f"cannot read {path}: {exc}") from exc
    found = data.get("config") if isinstance(data, dict) else None
    if not isinstance(found, dict):
        raise ValueError(
            f"{path} holds no 'config': expected a results.json of version 0.7 or later; "
            "`unlearncanvas report` shows the commands of older ones"
        )
    return found
