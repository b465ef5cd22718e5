"""The house stands as docs/architecture.md draws it: read from the source, without running it."""

import ast
import importlib.util
import os
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from flows.recipe import Recipe, shipped

ROOT = Path(__file__).parents[1]
FLOORS = ("data", "models", "tasks", "flows")
"""From the ground up; a floor imports from itself and from those below."""

GROUND_FOR_MODELS = {"data", "data.taxonomy", "data.sample", "data.plan"}
ROOMS = {
    "ray": {"tasks/cluster.py", "tasks/training/train.py"},
    "prefect": {"flows/artifacts.py", "flows/deployments.py"},
}
"""Where the engines may be imported."""

RESTRICTED_UNPICKLER = "data/adapters/pickles.py"
EXECUTES = {
    "pickle.load",
    "pickle.loads",
    "pickle.Unpickler",
    "cloudpickle.load",
    "cloudpickle.loads",
    "joblib.load",
    "marshal.load",
    "marshal.loads",
    "torch.load",
    "torch.hub",
    "yaml.load",
    "yaml.unsafe_load",
    "eval",
    "exec",
}
"""What runs, or may run, what it reads."""

LONGEST = 300


@cache
def sources(*folders: str) -> dict[str, ast.Module]:
    """The parsed files of FOLDERS, by path from the root."""
    files = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    assert files, f"no source in {folders}"
    return {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text()) for path in files}


def module_of(path: str) -> str:
    """``data/adapters/__init__.py`` is ``data.adapters``."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@cache
def modules() -> dict[str, ast.Module]:
    """The parsed modules of the four floors, by name."""
    return {module_of(path): tree for path, tree in sources(*FLOORS).items()}


def imports(tree: ast.AST, *, for_types: bool = True) -> Iterator[str]:
    """The full names that TREE imports, anywhere; without FOR_TYPES not for type checkers alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{name.name}" for name in node.names)
        elif not for_types and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        else:
            yield from imports(node, for_types=for_types)


def ours(name: str) -> str | None:
    """The module of ours that importing NAME runs; None where it is another's."""
    while name not in modules():
        if "." not in name:
            return None
        name = name.rpartition(".")[0]
    return name


def dotted(node: ast.AST) -> str:
    """``a.b.c`` of an attribute's or a name's expression; empty where it is another."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return ""


def test_imports_go_down_the_floors_only() -> None:
    wrong = [
        f"{module} imports {name}"
        for module, tree in modules().items()
        for name in imports(tree)
        if (floor := name.partition(".")[0]) in FLOORS
        and FLOORS.index(floor) > FLOORS.index(module.partition(".")[0])
    ]
    assert wrong == []


def test_models_know_of_the_ground_only_words_samples_and_plans() -> None:
    wrong = [
        f"{module} imports {name}"
        for module, tree in modules().items()
        if module.partition(".")[0] == "models"
        for name in imports(tree)
        if (target := ours(name) or "").partition(".")[0] == "data"
        and target not in GROUND_FOR_MODELS
    ]
    assert wrong == []


@pytest.mark.parametrize("engine", ROOMS)
def test_an_engine_is_imported_in_its_own_room_only(engine: str) -> None:
    users = {
        path
        for path, tree in sources(*FLOORS).items()
        if any(name.partition(".")[0] == engine for name in imports(tree))
    }
    assert users == ROOMS[engine]


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = {
        module: {target for name in imports(tree, for_types=False) if (target := ours(name))}
        - {module}
        for module, tree in modules().items()
    }
    waiting = dict(graph)
    while leaves := [module for module, needs in waiting.items() if not needs & set(waiting)]:
        for leaf in leaves:
            del waiting[leaf]
    assert {module: needs & set(waiting) for module, needs in waiting.items()} == {}


def test_every_import_is_absolute() -> None:
    wrong = [
        f"{path}:{node.lineno}"
        for path, tree in sources(*FLOORS, "tests").items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert wrong == []


def test_no_other_package_owns_our_names() -> None:
    owners = metadata.packages_distributions()
    others = {name: set(owners.get(name, ())) - {"nightjar"} for name in FLOORS}
    assert not any(others.values()), others
    for name in FLOORS:
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin == str(ROOT / name / "__init__.py")


def harmless(call: ast.Call) -> bool:
    """Whether CALL, of `EXECUTES`, reads tensors alone, or only what this process just wrote."""
    if dotted(call.func) == "torch.load":
        return any(word.arg == "weights_only" and is_constant(word, True) for word in call.keywords)
    first = call.args[0] if call.args else call
    return isinstance(first, ast.Call) and dotted(first.func) == "pickle.dumps"


def is_constant(keyword: ast.keyword, value: bool) -> bool:
    """Whether KEYWORD is given as VALUE, literally."""
    return isinstance(keyword.value, ast.Constant) and keyword.value.value is value


def executes(path: str, tree: ast.Module) -> Iterator[str]:
    """What in TREE, the file at PATH, runs or may run what it reads."""
    for name in imports(tree):
        if name in EXECUTES:
            yield f"{path} imports {name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and dotted(node) == "torch.hub":
            yield f"{path}:{node.lineno} uses torch.hub"
        elif isinstance(node, ast.ClassDef) and path != RESTRICTED_UNPICKLER:
            yield from (
                f"{path} has {dotted(base)}" for base in node.bases if dotted(base) in EXECUTES
            )
        elif isinstance(node, ast.Call):
            if dotted(node.func) in EXECUTES and not harmless(node):
                yield f"{path}:{node.lineno} calls {dotted(node.func)}"
            for keyword in node.keywords:
                if keyword.arg == "allow_pickle" and not is_constant(keyword, False):
                    yield f"{path}:{node.lineno} allows pickles"


def test_nothing_executes_what_it_reads() -> None:
    wrong = [line for path, tree in sources(*FLOORS).items() for line in executes(path, tree)]
    assert wrong == []


@pytest.mark.parametrize(
    "code",
    [
        "import pickle\npickle.load(open(path, 'rb'))",
        "from pickle import loads",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "torch.hub.load('someone/something', 'net')",
        "np.load(path, allow_pickle=True)",
        "class Open(pickle.Unpickler): ...",
        "eval(text)",
    ],
)
def test_what_executes_what_it_reads_would_be_found(code: str) -> None:
    assert list(executes("models/new.py", ast.parse(code)))


def test_no_file_is_longer_than_a_reader_s_patience() -> None:
    kinds = (".py", ".j2", ".yaml", ".md")
    files = (
        path
        for folder in (*FLOORS, "tests", "benchmarks")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in kinds
    )
    lengths = {path.relative_to(ROOT).as_posix(): path.read_text().count("\n") for path in files}
    assert {path: lines for path, lines in lengths.items() if lines > LONGEST} == {}


def test_tests_are_no_packages_and_no_two_have_the_same_name() -> None:
    assert list((ROOT / "tests").rglob("__init__.py")) == []
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, times in names.items() if times > 1] == []


def test_every_floor_says_that_it_is_typed() -> None:
    assert [floor for floor in FLOORS if not (ROOT / floor / "py.typed").is_file()] == []


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_recipe_can_be_read(name: str) -> None:
    recipe = Recipe.named(name)
    assert recipe.name == name
    assert len(recipe.digest) == 64


def test_make_knows_the_chores() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert targets >= {"setup", "demo", "test", "test-slow", "check", "bench", "constraints"}


def test_what_is_installed_for_tests_can_export() -> None:
    chores = (ROOT / "Makefile").read_text()
    assert chores.count("-e '.[test,export]'") == chores.count(" install --quiet") == 2


def test_what_every_change_must_pass_is_executable_and_makes_all_tests() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert {"make check", "make test", "make test-slow"} <= set(script.read_text().splitlines())


def test_the_constraints_pin_all_that_is_required_and_name_no_machine() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert "make constraints" in lines[0]
    pins = dict(line.split("==") for line in lines[1:])
    assert all(re.fullmatch(r"[\w.]+", version) for version in pins.values())
    versions = {canonicalize_name(name): version for name, version in pins.items()}
    extras = project["optional-dependencies"]
    for line in project["dependencies"] + extras["test"] + extras["export"]:
        needed = Requirement(line)
        assert versions[canonicalize_name(needed.name)] in needed.specifier, line
