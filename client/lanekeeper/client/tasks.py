"""The operations under way: advanced as far as they go, then left until they can go on.

Sans-IO: a performer carries the effects out, time is an argument. Rules: an operation's `LaneError`
belongs to whoever asks for its result; any other exception is a defect and leaves through the
shell. Called by `hub`.
"""

from collections.abc import Generator
from typing import Any, Generic, Protocol, TypeVar

from msgspec import Struct

from lanekeeper.client.effects import AnyCall, Call, Effect, Operation, Pause
from lanekeeper.client.errors import LaneError, error_for
from lanekeeper.client.session import Request

R = TypeVar("R")


class Outcome(Struct, Generic[R], frozen=True):
    """What an operation returned."""

    value: R


class Task(Struct, Generic[R], eq=False):
    """One operation; `outcome` or `error` is set when it is `done`."""

    operation: Operation[R]
    deadline: float | None
    waiting: AnyCall | Pause | None = None
    request: Request | None = None
    wake_at: float | None = None
    outcome: Outcome[R] | None = None
    error: BaseException | None = None

    @property
    def done(self) -> bool:
        """Whether the operation has ended."""
        return self.outcome is not None or self.error is not None

    def result(self) -> R:
        """Return what the operation returned, or raise what it raised."""
        if self.error is not None:
            raise self.error
        if self.outcome is None:
            raise RuntimeError("the result of an operation was asked for before its end")
        return self.outcome.value


class Performer(Protocol):
    """Carries out what operations ask for."""

    def submit(self, call: AnyCall, now: float) -> Request:
        """Send a command."""
        ...

    def perform(self, effect: Effect, now: float) -> object:
        """Do anything else at once and return its answer."""
        ...

    def decode(self, call: AnyCall, request: Request) -> object:
        """Return the result of a request that is done, or raise its LaneError."""
        ...

    def forget(self, request: Request) -> None:
        """Wait for a request no longer."""
        ...


class Tasks:
    """All operations of one client."""

    def __init__(self, performer: Performer) -> None:
        """Start without any."""
        self._performer = performer
        self._tasks: list[Task[Any]] = []

    def start(self, operation: Operation[R], deadline: float | None, now: float) -> Task[R]:
        """Begin an operation; at `deadline` it is interrupted with a TimedOutError."""
        task: Task[R] = Task(operation, deadline)
        self._tasks.append(task)
        self._run(task, None, None, now)
        return task

    def interrupt(self, task: Task[R], error: LaneError, now: float) -> None:
        """Raise `error` inside an operation where it waits; it may still tidy up."""
        if task.done:
            return
        task.deadline = None
        if task.request is not None:
            self._performer.forget(task.request)
        self._run(task, None, error, now)

    def advance(self, now: float) -> bool:
        """Go on with every operation whose wait is over; return whether there was one."""
        moved = False
        for task in list(self._tasks):
            moved = self._step(task, now) or moved
        return moved

    def next_deadline(self) -> float | None:
        """Return when a wait or an operation ends by time."""
        times = [task.wake_at for task in self._tasks] + [task.deadline for task in self._tasks]
        return min((moment for moment in times if moment is not None), default=None)

    def close(self, error: LaneError) -> None:
        """End all operations where they are."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.operation.close()
            task.error = error

    def __len__(self) -> int:
        """Return how many are under way."""
        return len(self._tasks)

    def _step(self, task: Task[Any], now: float) -> bool:
        waiting = task.waiting
        if task.done or waiting is None:
            return False
        if task.deadline is not None and now >= task.deadline:
            self.interrupt(task, error_for("TIMEOUT", "not done in time", retryable=True), now)
            return True
        if isinstance(waiting, Pause):
            ready = waiting.ready()
            if not ready and (task.wake_at is None or now < task.wake_at):
                return False
            self._run(task, ready, None, now)
            return True
        if task.request is None or not task.request.done:
            return False
        try:
            value = self._performer.decode(waiting, task.request)
        except LaneError as error:
            self._run(task, None, error, now)
        else:
            self._run(task, value, None, now)
        return True

    def _run(self, task: Task[Any], value: object, error: LaneError | None, now: float) -> None:
        """Go on with an operation until it waits again or ends."""
        task.waiting = task.request = task.wake_at = None
        while True:
            try:
                effect = _proceed(task.operation, value, error)
            except StopIteration as end:
                task.outcome = Outcome(end.value)
                self._tasks.remove(task)
                return
            except BaseException as failure:
                task.error = failure
                self._tasks.remove(task)
                if isinstance(failure, LaneError):
                    return
                raise
            value, error = None, None
            try:
                if self._waits(task, effect, now):
                    return
                value = self._performer.perform(effect, now)
            except LaneError as refusal:
                error = refusal

    def _waits(self, task: Task[Any], effect: Effect, now: float) -> bool:
        if isinstance(effect, Call):
            task.request = self._performer.submit(effect, now)
        elif isinstance(effect, Pause):
            if effect.delay is not None:
                task.wake_at = now + effect.delay
        else:
            return False
        task.waiting = effect
        return True


def _proceed(
    operation: Generator[Effect, object, object], value: object, error: LaneError | None
) -> Effect:
    return operation.send(value) if error is None else operation.throw(error)
