"""What a declared type looks like as JSON: how a value of it is written, read and described.

A shape is made once for each type, from its hints. Reading is strict: a value is taken as it
is or refused, never converted; ``Misfit`` says where and why.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import math
import types
import typing
from collections.abc import Iterable, Mapping
from enum import Enum, IntEnum
from typing import Any, ClassVar, NewType

from actors.errors import RequestError
from actors.model import Json
from actors.runners.values import plain
from actors.typed import fits

TAG = "type"
"""Where an object of one of several types may stand, the key that names which."""
MAX_INTEGER = 2**63 - 1
"""Of a field of ours; the numbers inside JSON data may be larger."""
MAX_JSON_BYTES = 1_048_576
"""Of one JSON value in a message."""
_SHOWN = 60


class Misfit(Exception):
    """A value is not what is declared: where and why, as what follows the message's name in a sentence."""

    def __init__(self, path: str, said: str) -> None:
        super().__init__(f": {path} {said}" if path else f" {said}")


class Shape:
    """How one type stands in JSON."""

    words = "a value"
    """What a value of it must be, as the rest of a sentence."""
    choices: tuple[str, ...] = ()
    """All values there are, if they are few."""
    fields: tuple[Field, ...] = ()
    """Of the object it is, or holds."""
    kinds: ClassVar[tuple[type, ...]] = ()
    """What its JSON is, as Python reads it."""

    def write(self, value: Any) -> Json:
        """As JSON. Raises ``RequestError`` for what has no such form."""
        return value

    def read(self, value: object, path: str) -> Any:
        """From JSON. Raises ``Misfit``."""
        raise NotImplementedError

    def takes(self, value: object) -> bool:
        """Whether it looks like one, from outside."""
        return type(value) in self.kinds

    def wrong(self, value: object, path: str) -> Misfit:
        return Misfit(path, f"must be {self.words}, not {shown(value)}{meant(value, self.choices)}")


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    """One field of an object, as its class declares it."""

    name: str
    shape: Shape
    required: bool
    default: Any = None


class _Anything(Shape):
    words = "any JSON"

    def write(self, value: Any) -> Json:
        return plain(value, what="the value", max_bytes=MAX_JSON_BYTES)

    def read(self, value: object, path: str) -> Json:
        try:
            return plain(value, what="", max_bytes=MAX_JSON_BYTES)
        except RequestError as error:
            raise Misfit(path, str(error).strip()) from None

    def takes(self, value: object) -> bool:  # noqa: ARG002 - anything is
        return True


class _Nothing(Shape):
    words = "null"
    kinds = (type(None),)

    def read(self, value: object, path: str) -> None:
        if value is not None:
            raise self.wrong(value, path)


class _Truth(Shape):
    words = "true or false"
    choices = ("false", "true")
    kinds = (bool,)

    def read(self, value: object, path: str) -> bool:
        if not isinstance(value, bool):
            raise Misfit(path, f"must be {self.words}, not {shown(value)}")
        return value


class _Text(Shape):
    words = "text"
    kinds = (str,)

    def write(self, value: Any) -> Json:
        return str(value)

    def read(self, value: object, path: str) -> str:
        if not isinstance(value, str):
            raise self.wrong(value, path)
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise Misfit(path, "is text with half a surrogate pair, which has no UTF-8 form") from None
        return value


class _Number(Shape):
    def __init__(self, *, whole: bool) -> None:
        self.words = "a whole number" if whole else "a number"
        self.kinds = (int,) if whole else (int, float)  # type: ignore[misc]

    def write(self, value: Any) -> Json:
        if isinstance(value, float) and not math.isfinite(value):
            raise RequestError(f"{value} is a number that JSON does not have")
        return value

    def read(self, value: object, path: str) -> Any:
        if type(value) not in self.kinds:
            raise self.wrong(value, path)
        if isinstance(value, float) and not math.isfinite(value):
            raise Misfit(path, f"is {value}, which JSON does not have")
        if isinstance(value, int) and abs(value) > MAX_INTEGER:
            raise Misfit(path, "is a number of more than 63 bits")
        return value


class _Word(Shape):
    kinds = (str,)

    def __init__(self, kind: type[Enum]) -> None:
        self._by_word = {
            member.name.lower() if issubclass(kind, IntEnum) else str(member.value): member for member in kind
        }
        self._words = {member: word for word, member in self._by_word.items()}
        self.choices = tuple(self._by_word)
        self.words = f"one of {', '.join(self.choices)}"

    def write(self, value: Any) -> Json:
        return self._words[value]

    def read(self, value: object, path: str) -> Any:
        if not isinstance(value, str) or value not in self._by_word:
            raise self.wrong(value, path)
        return self._by_word[value]


class _List(Shape):
    """Of any length, all alike: a tuple or a frozenset."""

    kinds = (list,)

    def __init__(self, part: Shape, kind: type) -> None:
        self._part, self._kind = part, kind
        self.words = f"a list, each {part.words}"
        self.choices, self.fields = part.choices, part.fields

    def write(self, value: Any) -> Json:
        written = [self._part.write(item) for item in value]
        return sorted(written) if self._kind is frozenset else written

    def read(self, value: object, path: str) -> Any:
        if not isinstance(value, list):
            raise self.wrong(value, path)
        return self._kind([self._part.read(item, f"{path}[{place}]") for place, item in enumerate(value)])


class _Row(Shape):
    """A tuple with a type for each place."""

    kinds = (list,)

    def __init__(self, parts: tuple[Shape, ...]) -> None:
        self._parts = parts
        self.words = f"a list of {len(parts)}: {', then '.join(part.words for part in parts)}"

    def write(self, value: Any) -> Json:
        return [part.write(item) for part, item in zip(self._parts, value, strict=True)]

    def read(self, value: object, path: str) -> Any:
        if not isinstance(value, list) or len(value) != len(self._parts):
            raise self.wrong(value, path)
        return tuple([part.read(value[place], f"{path}[{place}]") for place, part in enumerate(self._parts)])


class _Table(Shape):
    """A mapping by text."""

    kinds = (dict,)

    def __init__(self, key: Shape, part: Shape) -> None:
        self._key, self._part = key, part
        self.words = "an object" if isinstance(part, _Anything) else f"an object, each value {part.words}"

    def write(self, value: Any) -> Json:
        return {str(self._key.write(key)): self._part.write(item) for key, item in value.items()}

    def read(self, value: object, path: str) -> Any:
        if not isinstance(value, dict):
            raise self.wrong(value, path)
        return {
            self._key.read(key, f"a key of {path}"): self._part.read(item, f"{path}[{shown(key)}]")
            for key, item in value.items()
        }


class Object(Shape):
    """A dataclass or a named tuple of ours."""

    kinds = (dict,)

    def __init__(self, kind: Any) -> None:
        self._kind = kind
        self.name: str = kind.__name__
        self.words = f"an object ({self.name})"
        hints = typing.get_type_hints(kind)
        self.fields = tuple(
            Field(name, shape_of(hints[name]), default is _NONE, None if default is _NONE else default)
            for name, default in _defaults(kind).items()
        )

    def write(self, value: Any) -> Json:
        return {field.name: field.shape.write(getattr(value, field.name)) for field in self.fields}

    def read(self, value: object, path: str) -> Any:
        if not isinstance(value, dict):
            raise self.wrong(value, path)
        declared = {field.name: field for field in self.fields}
        for name in value:
            if name not in declared:
                takes = f"; it takes {', '.join(declared)}" if declared else "; it takes none"
                raise Misfit(path, f"has no field {shown(name)}{meant(name, declared) or takes}")
        for field in self.fields:
            if field.required and field.name not in value:
                raise Misfit(path, f"needs '{field.name}', {field.shape.words}")
        below = f"{path}." if path else ""
        return self._kind(**{name: declared[name].shape.read(item, f"{below}{name}") for name, item in value.items()})


class _OneOf(Shape):
    """A union. Objects of several types are told apart by ``TAG``."""

    def __init__(self, parts: dict[Any, Shape]) -> None:
        self._parts = parts
        objects = {shape.name: shape for shape in parts.values() if isinstance(shape, Object)}
        self._objects = objects if len(objects) > 1 else {}
        self.words = " or ".join(shape.words for shape in parts.values())
        self.choices = next((shape.choices for shape in parts.values() if shape.choices), ())
        self.fields = next(iter(objects.values())).fields if len(objects) == 1 else ()
        assert all(TAG not in {field.name for field in shape.fields} for shape in self._objects.values())

    def write(self, value: Any) -> Json:
        shape = next((shape for hint, shape in self._parts.items() if fits(value, hint)), None)
        if shape is None:
            raise RequestError(f"a {type(value).__name__} is not {self.words}")
        written = shape.write(value)
        return {TAG: shape.name, **written} if self._objects and isinstance(shape, Object) else written

    def read(self, value: object, path: str) -> Any:
        if self._objects and isinstance(value, dict):
            name = value.get(TAG)
            if not isinstance(name, str) or name not in self._objects:
                one = ", ".join(self._objects)
                raise Misfit(f"{path}.{TAG}", f"must be one of {one}, not {shown(name)}{meant(name, self._objects)}")
            return self._objects[name].read({key: item for key, item in value.items() if key != TAG}, path)
        for shape in self._parts.values():
            if shape.takes(value) and not (shape.choices and value not in shape.choices and shape.kinds == (str,)):
                return shape.read(value, path)
        raise self.wrong(value, path)


class _Foreign(Shape):
    """What has no JSON form, such as a compiled condition."""

    def __init__(self, hint: Any) -> None:
        self.words = f"a {getattr(hint, '__name__', hint)}"

    def write(self, value: Any) -> Json:
        raise RequestError(f"a {type(value).__name__} has no JSON form")

    def read(self, value: object, path: str) -> Any:  # noqa: ARG002 - whatever it is
        raise Misfit(path, f"is {self.words}, which cannot be given as JSON")

    def takes(self, value: object) -> bool:
        return value is not None


_NONE = object()
_SCALARS: Mapping[Any, Shape] = types.MappingProxyType(
    {
        Any: _Anything(),
        type(None): _Nothing(),
        bool: _Truth(),
        str: _Text(),
        int: _Number(whole=True),
        float: _Number(whole=False),
    }
)


@functools.cache
def shape_of(hint: Any) -> Shape:
    """The shape of a declared type."""
    if isinstance(hint, NewType):
        return shape_of(hint.__supertype__)
    if hint in _SCALARS:
        return _SCALARS[hint]
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _OneOf({part: shape_of(part) for part in parts})
    if origin is tuple:
        alike = len(parts) == 2 and parts[1] is Ellipsis
        return _List(shape_of(parts[0]), tuple) if alike else _Row(tuple(shape_of(part) for part in parts))
    if origin is frozenset:
        return _List(shape_of(parts[0]), frozenset)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _Table(shape_of(parts[0]), shape_of(parts[1]))
    return _of_a_class(hint)


def _of_a_class(kind: Any) -> Shape:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _Word(kind)
    if dataclasses.is_dataclass(kind) or hasattr(kind, "_fields"):
        return Object(kind)
    return _Foreign(kind)


def _defaults(kind: Any) -> dict[str, Any]:
    """Every field's default by its name, ``_NONE`` where there is none."""
    if not dataclasses.is_dataclass(kind):
        return {name: kind._field_defaults.get(name, _NONE) for name in kind._fields}
    found: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        made = field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default
        found[field.name] = _NONE if made is dataclasses.MISSING else made
    return found


def meant(word: object, known: Iterable[str]) -> str:
    """``; did you mean …?`` if something known is close to it."""
    close = difflib.get_close_matches(word[:80], list(known), 1) if isinstance(word, str) else []
    return f"; did you mean '{close[0]}'?" if close else ""


def shown(value: object) -> str:
    """What was given, short enough for a sentence."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value.bit_length() > 200:
        return "a very long number"
    text = repr(value) if isinstance(value, str | int | float) else f"a {type(value).__name__}"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
