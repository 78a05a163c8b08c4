"""Which part may import which, and which modules are pure.

Owns two tables. Imports run one way: `wire` <- `client` <- `cli`; the daemons know the wire and the
keeper's leaf modules; the keeper knows the standard library alone. A core is handed time, ids and
randomness as arguments, so it imports nothing that could fetch them, nor a module that does.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from kit.house.tree import NAMESPACE, Module, product

_LEAVES: Final = tuple(
    f"lanekeeper.keeper.{leaf}"
    for leaf in (
        *("brand", "cgroups", "channel", "deposits", "facts", "findings", "framing", "hooks"),
        *("identity", "journal", "link", "logs", "pidfds", "program", "rundir", "scopes"),
        *("shortage", "survey", "tidy"),
    )
)
_CLIENT_LEAVES: Final = tuple(
    f"lanekeeper.keeper.{leaf}"
    for leaf in (
        *("cgroups", "channel", "facts", "findings", "identity", "lock", "rundir", "scopes"),
        *("survey", "tidy"),
    )
)

MAY_IMPORT: Final[dict[str, tuple[str, ...]]] = {
    "wire": (),
    "keeper": (),
    "client": ("lanekeeper.wire", *_CLIENT_LEAVES),
    "cli": (
        "lanekeeper.wire",
        "lanekeeper.client",
        "lanekeeper.bench",
        "lanekeeper.soak",
        *_CLIENT_LEAVES,
    ),
    "bench": ("lanekeeper.wire", "lanekeeper.client", *_CLIENT_LEAVES),
    "broker": ("lanekeeper.wire", *_LEAVES),
    "collector": ("lanekeeper.wire", *_LEAVES),
    "workers": ("lanekeeper.wire", *_LEAVES),
    "soak": ("lanekeeper.client", "lanekeeper.wire"),
}
"""Modules of ours, by prefix, that a package may import beside itself."""

STANDARD_LIBRARY_ONLY: Final = ("keeper",)

IMPURE: Final = frozenset(
    {
        "asyncio",
        "logging",
        "os",
        "random",
        "select",
        "selectors",
        "socket",
        "subprocess",
        "threading",
        "time",
        "zmq",
    }
)
"""What a core may not import: clocks, the system, other threads, randomness.

The numbers in `signal` are values like any other.
"""

_CORES_BY_PACKAGE: Final[dict[str, str]] = {
    "broker": "addresses budget core deadlines deaths desk diagnosis diagnostics door early "
    "keepers lane lanes listings looking orphans plane records recovery registry replay restoring "
    "returning routing state stimuli story timings workers",
    "client": "awaiting closing effects errors feeding following items leases operations recording "
    "session story stream tasks writing",
    "collector": "admission beginnings diagnoses export faults findings judging ledger model pages "
    "spending usage window",
    "keeper": "beats births bulletin clock continuity daemons depository events facts figures "
    "findings grants greeting lookups peers pool readoption refill restarts roster scopes "
    "states status succession supervisor sweeping vault wayup",
    "workers": "actions backlog closing consumer_commands consumers core echo emulation ending "
    "inputs keeping knowledge life marks paste picture programs queries recording_commands records "
    "resuming screen_commands search sequences session_commands shown state tally "
    "terminal_commands timeline turn waits watching writer_commands",
}
CORES: Final[tuple[str, ...]] = (
    "lanekeeper.wire",
    *(
        f"lanekeeper.{package}.{name}"
        for package, names in _CORES_BY_PACKAGE.items()
        for name in names.split()
    ),
)
"""Modules and packages that do no input or output."""

LISTED_PACKAGES: Final = frozenset({"broker", "client", "collector", "keeper", "workers"})
"""Packages in which every module that is pure is listed, so that it stays so."""


def wrong_directions(root: Path) -> Iterator[str]:
    """Yield imports of ours that run against the table."""
    for module in product(root):
        if module.package not in MAY_IMPORT:
            yield module.at(1, f"{module.name or module.path} belongs to no package of the table")
            continue
        allowed = (f"{NAMESPACE}.{module.package}", *MAY_IMPORT[module.package])
        for found in module.imports():
            ours = found.module.split(".")[0] == NAMESPACE
            if ours and not _below(found.module, allowed):
                text = f"{module.package} imports {found.module}"
                yield module.at(found.line, f"{text}; allowed: {', '.join(allowed)}")


def foreign_imports(root: Path) -> Iterator[str]:
    """Yield imports of packages that are not the standard library's where only it is allowed."""
    for module in product(root):
        if module.package not in STANDARD_LIBRARY_ONLY:
            continue
        for found in module.imports():
            top = found.module.split(".")[0]
            if top != NAMESPACE and top not in sys.stdlib_module_names:
                yield module.at(found.line, f"{module.package} imports {top}: not standard library")


def impure_cores(root: Path, cores: tuple[str, ...] = CORES) -> Iterator[str]:
    """Yield imports that make a core impure."""
    modules = product(root)
    names = {module.name for module in modules}
    for module in modules:
        if _below(module.name, cores):
            yield from _impurities(module, cores, names)


def unlisted_cores(root: Path, cores: tuple[str, ...] = CORES) -> Iterator[str]:
    """Yield modules that are pure and not listed, and listed cores that do not exist."""
    modules = product(root)
    for core in cores:
        if not any(_below(module.name, (core,)) for module in modules):
            yield f"{core} is listed as a core but there is no such module"
    names = {module.name for module in modules}
    for module in modules:
        known = _below(module.name, cores) or module.path.name in {"__init__.py", "__main__.py"}
        if known or module.package not in LISTED_PACKAGES:
            continue
        if not list(_impurities(module, (*cores, module.name), names)):
            yield module.at(1, f"{module.name} is pure: list it as a core in {__name__}")


def _impurities(module: Module, cores: tuple[str, ...], names: set[str]) -> Iterator[str]:
    seen = set()
    for found in module.imports():
        if found.typing_only:
            continue
        top = found.module.split(".")[0]
        target = found.module if found.module in names else found.module.rpartition(".")[0]
        if top in IMPURE and (found.line, top) not in seen:
            seen.add((found.line, top))
            yield module.at(found.line, f"the core {module.name} imports {top}")
        elif target in names and not _below(target, cores) and (found.line, target) not in seen:
            seen.add((found.line, target))
            yield module.at(found.line, f"the core {module.name} imports {target}, not a core")


def _below(name: str, prefixes: tuple[str, ...]) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)
