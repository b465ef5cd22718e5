"""A state is kept whole or not at all, and one at a time."""

import pytest

from data.store import Store
from tasks.training.checkpoint import Checkpoint
from tasks.training.group import Group
from tasks.training.training_set import Share

FOLDER = "encoders/training/toy"


class Together(Group):
    """Workers that tests move one after the other."""

    def wait(self) -> None:
        """Nobody has to be waited for."""


def test_what_was_written_last_is_read(store: Store) -> None:
    here = Checkpoint(store, FOLDER, Group())
    assert here.read() is None
    for number in range(3):
        here.write(b"whole %d" % number, b"own %d" % number)
        assert Checkpoint(store, FOLDER, Group()).read() == (
            b"whole %d" % number,
            b"own %d" % number,
        )
    assert store.names(FOLDER) == ["2", "state.json"]


def test_each_worker_reads_its_own(store: Store) -> None:
    second, first = (Checkpoint(store, FOLDER, Together(Share(rank, 2))) for rank in (1, 0))
    second.write(None, b"second")
    assert second.read() is None  # until the first has named it
    first.write(b"whole", b"first")
    assert (first.read(), second.read()) == ((b"whole", b"first"), (b"whole", b"second"))


def test_a_kill_while_a_state_is_written_leaves_the_one_before(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Checkpoint(store, FOLDER, Group())
    here.write(b"whole", b"own")
    written: list[str] = []
    write = Store.write

    def dies(self: Store, name: str, content: bytes) -> None:
        written.append(name)
        if name.endswith("json"):
            raise KeyboardInterrupt
        write(self, name, content)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "write", dies)
        with pytest.raises(KeyboardInterrupt):
            here.write(b"later", b"later")
    assert len(written) == 3
    assert here.read() == (b"whole", b"own")
    here.write(b"later", b"later")
    assert here.read() == (b"later", b"later")
