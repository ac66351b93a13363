"""Refuse impossible settings, in one line."""


def require_positive(settings: object, *names: str) -> None:
    """Raise ValueError unless these fields are > 0."""
    for name in names:
        if getattr(settings, name) <= 0:
            raise ValueError(f"{name} must be > 0, got {getattr(settings, name)}")


def require_at_least_one(settings: object, *names: str) -> None:
    """Raise ValueError unless these fields are >= 1."""
    for name in names:
        if getattr(settings, name) < 1:
            raise ValueError(f"{name} must be >= 1, got {getattr(settings, name)}")


def require_not_negative(settings: object, *names: str) -> None:
    """Raise ValueError unless these fields are >= 0."""
    for name in names:
        if getattr(settings, name) < 0:
            raise ValueError(f"{name} must be >= 0, got {getattr(settings, name)}")


def require_share(settings: object, name: str) -> None:
    """Raise ValueError unless this field is in (0, 1]."""
    if not 0 < getattr(settings, name) <= 1:
        raise ValueError(f"{name} must be in (0, 1], got {getattr(settings, name)}")
