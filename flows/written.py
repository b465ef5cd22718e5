"""What a recipe's file says, read as data: each key once, and no more than a person writes."""

from collections.abc import Hashable
from typing import Any, Final

import yaml

LONGEST: Final = 4096
"""Characters of a word or number, as many as a path may have."""

DEEPEST: Final = 32
"""Levels of lists and mappings within each other."""

MOST: Final = 100_000
"""Words, lists and mappings of a file, those that an alias repeats counted each time."""


def mapping_of(text: str, word: str) -> dict[str, Any]:
    """The mapping that YAML TEXT is, of a recipe which errors call WORD.

    Raises:
        ValueError: it is none; or it says a key twice, or too much, or holds itself.
    """
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        _Weighed(word).check(node)
        fields = None if node is None else loader.construct_document(node)
    except yaml.YAMLError as error:
        raise ValueError(f"{word} is not YAML: {error}") from error
    if not isinstance(fields, dict):
        raise ValueError(f"{word} holds no recipe: expected keys such as name and source.")
    return fields


class _Loader(yaml.SafeLoader):
    """A safe loader that goes no deeper than `DEEPEST`."""

    _depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """The node within PARENT at INDEX.

        Raises:
            YAMLError: it is too deep.
        """
        if self._depth >= DEEPEST:
            raise yaml.YAMLError(f"it is nested more deeply than {DEEPEST} levels")
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


class _Weighed:
    """How much a file says, of which an alias of a few letters may repeat any part.

    Args:
        word: what errors call the file.
    """

    def __init__(self, word: str) -> None:
        self._word = word
        self._known: dict[int, int] = {}
        self._above: set[int] = set()

    def check(self, node: yaml.Node | None) -> None:
        """Return if NODE is no more than a recipe.

        Raises:
            ValueError: it is.
        """
        if node is not None and self._of(node) > MOST:
            raise ValueError(
                f"{self._word} says more than {MOST:,} words, with what its aliases repeat: no "
                "recipe does."
            )

    def _of(self, node: yaml.Node) -> int:
        """How much NODE says, counted once however often it is repeated."""
        line = node.start_mark.line + 1
        if id(node) in self._above:
            raise ValueError(f"{self._word}, line {line}: an alias stands within what it repeats.")
        if isinstance(node, yaml.ScalarNode):
            if len(node.value) > LONGEST:
                raise ValueError(
                    f"{self._word}, line {line}: a word has {len(node.value):,} characters, and "
                    f"{LONGEST:,} are the most that a recipe takes: {node.value[:40]}..."
                )
            return 1
        if id(node) not in self._known:
            self._above.add(id(node))
            self._known[id(node)] = 1 + sum(map(self._of, self._within(node)))
            self._above.remove(id(node))
        return self._known[id(node)]

    def _within(self, node: yaml.Node) -> list[yaml.Node]:
        """What NODE, a list or a mapping, holds."""
        if not isinstance(node, yaml.MappingNode):
            return list(node.value)
        said: set[Hashable] = set()
        for key, _ in node.value:
            name = (key.tag, key.value) if isinstance(key, yaml.ScalarNode) else id(key)
            if name in said:
                raise ValueError(
                    f"{self._word}, line {key.start_mark.line + 1}: {key.value} is said twice, "
                    "and only one of them would count: leave the other out."
                )
            said.add(name)
        return [one for pair in node.value for one in pair]
