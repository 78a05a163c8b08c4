"""Handles that are closed by the end of a `with` block: blocking, and for asyncio."""

from types import TracebackType
from typing import Self


class Closing:
    """Something with a `close` that a `with` block calls."""

    def close(self) -> None:
        """Give back what is held; twice is fine."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()


class AsyncClosing:
    """Something with a `close` that an `async with` block awaits."""

    async def close(self) -> None:
        """Give back what is held; twice is fine."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it."""
        await self.close()
