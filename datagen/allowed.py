"""What a field of a struct takes, in plain words."""

from collections.abc import Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

# Type -> one of it, several of it.
_NAMES = {
    bool: ("true or false", "of true, false"),
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    str: ("text", "texts"),
}


def allowed(field: FieldInfo) -> str:
    """Such as "a whole number from 1 to 10"; nothing where there are no words for it."""
    words = _words(field.annotation, field.metadata)
    examples = ", ".join(f'"{example}"' for example in field.examples or ())
    return f"{words} such as {examples}" if words and examples else words


def _words(kind: Any, limits: Sequence[Any], *, several: bool = False) -> str:
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        inner = [limit for one in args[1:] if isinstance(one, FieldInfo) for limit in one.metadata]
        return _words(args[0], inner, several=several)
    if origin in (Union, UnionType):
        each = [_words(arg, limits, several=several) for arg in args if arg is not NoneType]
        return " or ".join(each) if all(each) else ""
    if origin is Literal:
        values = [f"`{value}`" for value in args]
        return "of " + ", ".join(values) if several else " or ".join(values)
    if origin is tuple:
        return _list(args, limits)
    if kind in _NAMES:
        return _NAMES[kind][several] + _range(limits)
    if origin is dict or (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return "sections" if several else "a section"
    return ""


def _list(args: Sequence[Any], limits: Sequence[Any]) -> str:
    """`tuple[X, ...]`, or one of fixed length whose elements are of one kind."""
    items = _words(args[0], (), several=True)
    least = max((m.min_length for m in limits if hasattr(m, "min_length")), default=0)
    if args[-1] is not Ellipsis:
        count = f"{len(args)} "
    elif least:
        count = "one or more " if least == 1 else f"{least} or more "
    else:
        count = "any " if items.startswith("of ") else ""
    return f"a list of {count}{items}" if items else ""


def _range(limits: Sequence[Any]) -> str:
    """Such as " from 1 to 10", " above 0", or nothing."""
    low = [f" from {m.ge:,}" for m in limits if hasattr(m, "ge")]
    low += [f" above {m.gt:,}" for m in limits if hasattr(m, "gt")]
    high = [f" to {m.le:,}" for m in limits if hasattr(m, "le")]
    high += [f" below {m.lt:,}" for m in limits if hasattr(m, "lt")]
    return "".join([*low, *(high or [" up" for words in low if "from" in words])])
