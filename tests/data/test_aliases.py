"""The production alias: moved by one of many, and nothing of its past is lost."""

import subprocess
import sys
import textwrap

import pytest

from data.aliases import Alias, AliasMoved, Pointer
from data.store import Store


def pointer(version: int, table: str = "toy-0123456789ab") -> Pointer:
    return Pointer(
        table=table,
        version=version,
        run=f"run-{version}",
        moved=f"2030-01-01T00:00:{version:02d}+00:00",
        why="promoted",
    )


def test_an_alias_that_never_moved_points_nowhere(store: Store) -> None:
    assert Alias(store, "toy").current() is None
    assert Alias(store, "toy").history() == []


def test_it_points_where_it_was_moved_last_and_remembers_the_rest(store: Store) -> None:
    alias = Alias(store, "toy")
    path = [pointer(2), pointer(5), pointer(2, "toy-ba9876543210")]
    for after, to in zip([None, *path], path, strict=False):
        alias.move(to, after)
        assert alias.current() == to
    assert Alias(store, "toy").history() == path


def test_recipes_have_aliases_of_their_own(store: Store) -> None:
    Alias(store, "toy").move(pointer(2), None)
    assert Alias(store, "toys").current() is None


@pytest.mark.parametrize("after", [None, 1, 3])
def test_a_mover_that_saw_something_else_changes_nothing(store: Store, after: int | None) -> None:
    alias = Alias(store, "toy")
    alias.move(pointer(1), None)
    alias.move(pointer(2), pointer(1))
    with pytest.raises(AliasMoved, match=r"points at toy-0123456789ab@2 .*Look at it"):
        alias.move(pointer(4), pointer(after) if after else None)
    assert alias.current() == pointer(2)


def test_a_move_between_look_and_write_is_noticed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    alias, other = Alias(store, "toy"), Alias(store, "toy")
    look = alias._newest

    def late() -> int:
        number = look()
        other.move(pointer(9), None)
        return number

    monkeypatch.setattr(alias, "_newest", late)
    with pytest.raises(AliasMoved):
        alias.move(pointer(1), None)
    assert other.history() == [pointer(9)]


def test_of_many_processes_that_saw_the_same_exactly_one_moves_it(store: Store) -> None:
    mover = textwrap.dedent(
        """
        import sys
        from data.aliases import Alias, AliasMoved, Pointer
        from data.store import Store
        alias = Alias(Store(sys.argv[1]), "toy")
        sys.stdin.readline()
        won = 0
        for turn in range(20):
            after = alias.current()
            to = Pointer(table=f"t{sys.argv[2]}", version=turn, run="r", moved="m", why="by hand")
            try:
                alias.move(to, after)
                won += 1
            except AliasMoved:
                pass
        print(won)
        """
    )
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", mover, store.root, str(n)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for n in range(3)
    ]
    wins = []
    for racer in racers:
        assert racer.stdin
        racer.stdin.write("go\n")
        racer.stdin.flush()
    for racer in racers:
        out, _ = racer.communicate(timeout=60)
        wins.append(int(out))
    history = Alias(store, "toy").history()
    assert sum(wins) == len(history)
    assert [sum(p.table == f"t{n}" for p in history) for n in range(3)] == wins


def test_an_alias_can_be_read_from_its_file_alone(store: Store) -> None:
    Alias(store, "toy").move(pointer(3), None)
    assert store.names("aliases/toy") == ["000001.json"]
    assert Pointer.model_validate_json(store.read("aliases/toy/000001.json")) == pointer(3)
