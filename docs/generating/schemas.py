"""JSON Schemas of the contract: envelopes, every method, events, output headers, the surface.

Owns the files below kitty-specs/.../contracts. Bytes are base64 in JSON as msgspec writes it; on
the wire they are MessagePack bin. Called by `docs/generate.py`.
"""

import json
from collections.abc import Iterable
from inspect import cleandoc
from types import GenericAlias
from typing import Any, Final, get_type_hints

import msgspec
from msgspec import Raw, Struct, defstruct
from msgspec.structs import fields

from lanekeeper.wire.envelope import Command, Event, Response
from lanekeeper.wire.errors import CODES
from lanekeeper.wire.messages.events import Happened, Registration
from lanekeeper.wire.messages.plane import Dispatch, ReplayResult
from lanekeeper.wire.messages.terminal import ExitStatus
from lanekeeper.wire.methods import METHODS, Method
from lanekeeper.wire.output import Header, Kind
from lanekeeper.wire.topics import EXTENSIONS, FORMAL, PUBLISHED, REQUIRED_IDS
from lanekeeper.wire.version import PROTOCOL, SUPPORTED

DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
_REF: Final = "#/$defs/{name}"


def files() -> dict[str, str]:
    """Return every schema file by its path below the contracts folder."""
    raw: tuple[type[Struct], ...] = (Command, Response, Event, Dispatch)
    twins = {kind: _plain(kind) for kind in raw}
    twins[ReplayResult] = _plain(ReplayResult, {"events": GenericAlias(list, (twins[Event],))})
    found = {
        "surface.json": _surface(),
        "envelope.schema.json": _union("Envelope", [twins[k] for k in raw[:3]]),
        "events.schema.json": _union("Event payloads", [Happened, Registration]),
        "output.schema.json": _union("Output", [Header, ExitStatus]),
    }
    for name, method in METHODS.items():
        if method.executor is not None:
            found[f"methods/{name}.schema.json"] = _method(name, method, twins)
    return {path: json.dumps(content, indent=2) + "\n" for path, content in found.items()}


def _plain(kind: type[Struct], changed: dict[str, Any] | None = None) -> type[Struct]:
    """Return a twin of a Struct that msgspec can describe: its raw fields are anything."""
    hints = get_type_hints(kind, include_extras=True)
    members: list[Any] = []
    for field in fields(kind):
        hint = (changed or {}).get(field.name, hints[field.name])
        hint = Any if hint is Raw else hint
        default = field.default
        if isinstance(default, Raw):
            default = msgspec.msgpack.decode(bytes(default))
        members.append((field.name, hint) if field.required else (field.name, hint, default))
    config = kind.__struct_config__
    return defstruct(
        kind.__name__,
        members,
        kw_only=True,
        forbid_unknown_fields=config.forbid_unknown_fields,
        tag_field=config.tag_field,
        tag=config.tag,
        namespace={"__doc__": kind.__doc__},
    )


def _union(title: str, kinds: Iterable[type[Struct]]) -> dict[str, Any]:
    chosen = list(kinds)
    refs, defs = msgspec.json.schema_components(chosen, ref_template=_REF)
    return {"$schema": DRAFT, "title": title, "anyOf": list(refs), "$defs": _tidy(defs)}


def _method(name: str, method: Method, twins: dict[type[Struct], type[Struct]]) -> dict[str, Any]:
    bodies = [twins.get(method.payload, method.payload), twins.get(method.result, method.result)]
    (payload, result), defs = msgspec.json.schema_components(bodies, ref_template=_REF)
    return {
        "$schema": DRAFT,
        "title": name,
        "type": "object",
        "properties": {"payload": payload, "result": result},
        "x-lanekeeper": {
            "executor": str(method.executor),
            "requires": list(method.requires),
            "correlation_id": "required" if method.lifecycle else "optional",
            "repeated_id": "answered again" if method.mutates else "done again",
            "answered": "when refused" if method.one_way else "always",
            "boundary": str(method.boundary),
            "formal": method.formal,
        },
        "$defs": _tidy(defs),
    }


def _surface() -> dict[str, Any]:
    """Return every method, topic and code by name, with what is deferred and until when."""
    return {
        "protocol": PROTOCOL,
        "versions": list(SUPPORTED),
        "methods": {
            name: {
                "formal": method.formal,
                "boundary": str(method.boundary),
                **({"contract": f"methods/{name}.schema.json"} if method.executor else {}),
                **({"deferred": method.phase} if method.phase else {}),
            }
            for name, method in sorted(METHODS.items())
        },
        "topics": {
            name: {
                "formal": name in FORMAL,
                "published": name in PUBLISHED,
                "required_ids": list(REQUIRED_IDS.get(name, ())),
            }
            for name in sorted(FORMAL | EXTENSIONS)
        },
        "output_kinds": [str(kind) for kind in Kind],
        "error_codes": {
            name: {"retryable": code.retryable, "exit_status": code.exit_status}
            for name, code in CODES.items()
        },
    }


def _tidy(definitions: dict[str, Any]) -> dict[str, Any]:
    """Return definitions whose descriptions are without the indentation of the source."""
    for definition in definitions.values():
        if "description" in definition:
            definition["description"] = cleandoc(definition["description"])
    return definitions
