"""Options as arguments of the command line, in both directions."""

from collections.abc import Mapping
from typing import Any

import yaml

from unlearncanvas.core.building import parse_overrides
from unlearncanvas.results.run_config import OPTIONS, OptionError, RunConfig

REPEATED = ("erasers", "settings", "track", "wandb_args")
"""Fields whose flag may be given several times; the values of others are separated by commas."""


def flag_of(name: str) -> str:
    """Return the flag of a field."""
    return OPTIONS[name].flag or f"--{name.replace('_', '-')}"


def typed_flags(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Return the flags that are on the command line."""
    return {name: value for name, value in flags.items() if value not in (None, [], ())}


def from_flags(given: Mapping[str, Any], file: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a command line and of a file as fields; those typed win.

    A setting of all erasers wins over one of a single eraser that stands in the file.

    Raises:
        ValueError: If a setting cannot be read.
    """
    options = {**file, **given}
    if "settings" in given:
        settings = parse_overrides(given["settings"])
        before = file.get("settings", {})
        if not isinstance(before, Mapping):
            raise OptionError("settings", f"in the file takes settings by name, got {before!r}")
        options["settings"] = {
            key: value for key, value in before.items() if key.rpartition(".")[2] not in settings
        } | settings
    return options


def to_flags(config: RunConfig) -> list[str]:
    """Return the arguments that :func:`from_flags` reads as these options."""
    arguments = []
    for name, value in config.model_dump(mode="json").items():
        flag = flag_of(name)
        if value is True:
            arguments.append(flag)
        elif name == "settings":
            arguments += [part for key in value for part in (flag, f"{key}={as_yaml(value[key])}")]
        elif name in REPEATED:
            arguments += [part for item in value for part in (flag, item)]
        else:
            items = value if isinstance(value, list) else [value]
            arguments += [flag, ",".join(map(str, items))]
    return arguments


def as_yaml(value: object) -> str:
    """Return a value as YAML on one line."""
    text = yaml.safe_dump([value], default_flow_style=True, width=float("inf"))
    return text.strip()[1:-1]
