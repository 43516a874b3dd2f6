"""What may follow what has been typed: commands, their options, and names that the live engine has.

The tree of commands knows; this finds the command and the word that is begun, among several on a line.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from click.shell_completion import CompletionItem, ShellComplete

from actors.commands.face import Face
from actors.commands.kinds import Typed
from actors.commands.tree import COMMANDS, tree
from actors.errors import RequestError
from actors.shell.running import LEAVE
from actors.words import split

_SPECIAL = frozenset(" \t;#\"'\\")


class Offer(NamedTuple):
    text: str
    """What to put in place of the word that is begun."""
    hint: str


def offers(face: Face, line: str) -> tuple[str, list[Offer]]:
    """The word that is begun at the end of the line, and what it may become."""
    begun = line[_last_word(line) :]
    try:
        before = split(line[: len(line) - len(begun)])
    except RequestError:
        return begun, []  # Inside quotes or JSON there is nothing to offer.
    fresh = line[: len(line) - len(begun)].rstrip().endswith(";")
    words = [str(Typed.of(word)) for word in before[-1]] if before and not fresh else []
    if words and words[0] not in COMMANDS:
        return begun, []
    return begun, list(_offers(face, words, begun))


def _offers(face: Face, words: list[str], begun: str) -> Iterator[Offer]:
    for item in ShellComplete(tree, {"obj": face}, "", "").get_completions(words, begun):
        yield Offer(_written(item), item.help or "")
    if not words:
        yield from (Offer(name, "Leave the shell.") for name in LEAVE if begun and name.startswith(begun))


def _written(item: CompletionItem) -> str:
    """The name as it must be typed."""
    text = str(item.value)
    if not _SPECIAL & set(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _last_word(line: str) -> int:
    """Where the last word begins."""
    place = len(line)
    while place and not line[place - 1].isspace() and line[place - 1] != ";":
        place -= 1
    return place
