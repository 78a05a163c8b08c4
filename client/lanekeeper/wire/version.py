"""Versions of the protocol, the schemas and the product."""

from typing import Final

PROTOCOL: Final = "helios.localbus.v1"
VERSION: Final = 1
"""The only value of `v` this code speaks."""

SUPPORTED: Final = (1,)
"""What `plane.hello` announces and `UNSUPPORTED_VERSION` names."""

PRODUCT: Final = "0.1.0"
