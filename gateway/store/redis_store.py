"""The store over redis-py: one connection, full duplex, with deadlines of our own. Knows nothing of what it carries.

Commands queue while a pipeline is on its way; what is queued leaves together as soon as the answers are back. There is
no timer, so one request alone never waits and many share one write. Nothing is sent twice: redis-py's retries are off,
and only NOSCRIPT, which promises that nothing ran, is repeated. A connection is used after it has shown that it leads
to the store this gateway belongs to: another or an empty one counts as away.
"""

import asyncio
import logging
import math
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from hiredis import pack_command
from redis import exceptions
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from gateway.core.errors import StoreAway
from gateway.store.contract import Argument, Reconnected, Reply, Unanswered
from gateway.store.layout import Layout
from gateway.store.scripts import load_scripts

DEADLINE_SECONDS = 2.0
PIPELINE_COMMANDS = 512  # at most in one write: bounds what one slow answer delays
RECONNECT_SECONDS = 0.2  # calls within this time after a failed connect fail at once
Command = Sequence[Argument]
_ANY_GENERATION = -1
SCHEMA = 1
"""What this program reads and writes. A store says what it carries; one without a word carries the first."""

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Waiting:
    """A command on its way to an answer."""

    command: Command
    answer: asyncio.Future[Reply]
    deadline: float  # loop time
    generation: int  # the only connection it may use, or any


class RedisStore:
    """A Redis or Valkey server at `url` (`redis://`, `rediss://`, `unix://`). `clock` is monotonic seconds.

    `observe` is told how long each round trip took.
    """

    def __init__(
        self,
        url: str,
        layout: Layout,
        *,
        instance: str | None = None,
        deadline_seconds: float = DEADLINE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        observe: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        self.generation = 0
        self.instance = instance
        self.pipelines = 0
        self.commands = 0
        self._meta = layout.shared("meta")
        self._scripts = load_scripts()
        self._deadline_seconds = deadline_seconds
        self._clock = clock
        self._observe = observe
        self._pool = ConnectionPool.from_url(
            url,
            protocol=2,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=None,
            socket_connect_timeout=deadline_seconds,
            decode_responses=False,
        )
        self._connection: AbstractConnection | None = None
        self._queue: deque[_Waiting] = deque()
        self._wake = asyncio.Event()
        self._sender: asyncio.Task[None] | None = None
        self._failed_at = -math.inf
        self._failure = ""
        self._is_answering = True
        self._is_suspect = False
        self._is_closed = False

    async def command(self, *arguments: Argument) -> Reply:
        """One command; raises StoreAway, as Unanswered where it may have happened."""
        return await self._enqueue(arguments)

    async def pipeline(self, commands: Sequence[Command]) -> list[Reply]:
        """Several commands in order; the first error is raised after all have been answered."""
        waiting = [self._enqueue(command) for command in commands]
        replies = await asyncio.gather(*waiting, return_exceptions=True)
        for number, reply in enumerate(replies):
            if isinstance(reply, exceptions.NoScriptError):
                replies[number] = await self._load_and_repeat(commands[number])
            elif isinstance(reply, BaseException):
                raise reply
        return list(replies)

    def step(self, name: str, keys: Sequence[Argument], arguments: Sequence[Argument]) -> Command:
        """`script` as a command for `pipeline`."""
        return (b"EVALSHA", self._scripts[name].digest, len(keys), *keys, *arguments)

    async def script(
        self,
        name: str,
        keys: Sequence[Argument],
        arguments: Sequence[Argument],
        generation: int | None = None,
    ) -> Reply:
        """Run a Lua step, loading it where the store does not know it; Reconnected where the connection is new."""
        command = (b"EVALSHA", self._scripts[name].digest, len(keys), *keys, *arguments)
        try:
            return await self._enqueue(command, _ANY_GENERATION if generation is None else generation)
        except exceptions.NoScriptError:
            return await self._load_and_repeat(command)

    async def bind_instance(self, expected: str | None) -> str:
        """The id of the data in the store; from now on only a store with this id is used.

        With `expected` None an empty store is given an id and a used one keeps its own. Raises StoreAway where the
        store cannot be reached, carries another id than expected or was written by a newer gateway.
        """
        self.instance = expected
        if expected is None:
            fresh = secrets.token_hex(16)
            first = [("HSETNX", self._meta, "instance", fresh), ("HSETNX", self._meta, "schema", str(SCHEMA))]
            _, _, found = await self.pipeline([*first, ("HGET", self._meta, "instance")])
            self.instance = str(found, "ascii")
            return self.instance
        self.suspect()
        await self.command("PING")
        return expected

    @property
    def queued(self) -> int:
        """Commands that wait to be sent."""
        return len(self._queue)

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection to the right store, as far as is known without asking."""
        return self._connection is not None

    @property
    def is_answering(self) -> bool:
        """Whether the last round trip succeeded; True before the first one."""
        return self._is_answering

    def suspect(self) -> None:
        """Something the store said does not fit: the next call makes a new connection, whose instance is checked."""
        self._is_suspect = True

    async def close(self) -> None:
        """Drop the connection; calls under way fail."""
        self._is_closed = True
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.gather(self._sender, return_exceptions=True)
        _fail(self._queue, StoreAway("The accounting store was closed."))
        self._queue.clear()
        await self._disconnect()

    async def _load_and_repeat(self, command: Command) -> Reply:
        source = next(script.source for script in self._scripts.values() if script.digest == command[1])
        _, repeated = await asyncio.gather(
            self._enqueue(("SCRIPT", "LOAD", source)), self._enqueue(command), return_exceptions=True
        )
        if isinstance(repeated, exceptions.NoScriptError):
            raise StoreAway("The accounting store keeps forgetting its scripts.") from repeated
        if isinstance(repeated, BaseException):
            raise repeated
        return repeated

    def _enqueue(self, command: Command, generation: int = _ANY_GENERATION) -> asyncio.Future[Reply]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Reply] = loop.create_future()
        if self._is_closed:
            answer.set_exception(StoreAway("The accounting store was closed."))
            return answer
        self._queue.append(_Waiting(command, answer, loop.time() + self._deadline_seconds, generation))
        if self._sender is None:
            self._sender = loop.create_task(self._send_forever(), name="store sender")
        self._wake.set()
        return answer

    async def _send_forever(self) -> None:
        """The owner of the connection: one pipeline after the other, as long as the store lives."""
        while True:
            if not self._queue:
                self._wake.clear()
                await self._wake.wait()
            batch = self._take()
            if batch:
                await self._round_trip(batch)

    def _take(self) -> list[_Waiting]:
        """What leaves now. Whoever stopped waiting is not sent for."""
        count = min(len(self._queue), PIPELINE_COMMANDS)
        return [item for item in (self._queue.popleft() for _ in range(count)) if not item.answer.done()]

    async def _round_trip(self, batch: list[_Waiting]) -> None:
        """Send, read, answer. Every call of the batch has an answer or a failure at the end."""
        refusal: type[StoreAway] = StoreAway
        try:
            async with asyncio.timeout_at(batch[0].deadline):
                connection = await self._connected()
                allowed = [item for item in batch if item.generation in (_ANY_GENERATION, self.generation)]
                packed = [_pack(item.command) for item in allowed]
                started = self._clock()
                refusal = Unanswered
                await connection.send_packed_command(packed, check_health=False)
                for item in allowed:
                    _answer(item.answer, await _read(connection))
            self._is_answering = True
            self._count(started, len(allowed))
            if len(allowed) < len(batch):
                _fail(batch, Reconnected("The accounting store was away for a moment.", retry_after=1.0))
        except (exceptions.RedisError, OSError, TimeoutError, StoreAway) as error:
            message = error.message if isinstance(error, StoreAway) else f"{type(error).__name__}"
            failure = refusal(f"The accounting store does not answer ({message}).", retry_after=1.0)
            failure.__cause__ = error
            self._is_answering = False
            _fail(batch, failure)
            await self._disconnect()
        except BaseException:
            _fail(batch, Unanswered("The accounting store was closed."))
            raise

    async def _connected(self) -> AbstractConnection:
        """The connection, made anew where the server has closed it: noticed before anything is sent."""
        if self._connection is not None and (self._is_suspect or await self._connection.can_read()):
            await self._disconnect()
        if self._connection is None:
            self._is_suspect = False
            self._connection = await self._connect()
            self.generation += 1
        return self._connection

    async def _connect(self) -> AbstractConnection:
        if self._clock() - self._failed_at < RECONNECT_SECONDS:
            raise StoreAway(self._failure)
        connection: AbstractConnection = self._pool.make_connection()  # type: ignore[no-untyped-call]  # redis-py's gap
        try:
            await connection.connect()  # type: ignore[no-untyped-call]  # redis-py's gap
            await self._check_instance(connection)
        except BaseException as error:
            self._failed_at = self._clock()
            failure = error.message if isinstance(error, StoreAway) else f"{type(error).__name__} while connecting"
            if failure != self._failure:
                _log.warning("accounting store: %s", failure)
            self._failure = failure
            await connection.disconnect(nowait=True)
            raise
        if self._failure:
            _log.warning("accounting store: connected again")
        self._failure = ""
        return connection

    async def _check_instance(self, connection: AbstractConnection) -> None:
        """Whether this is the store whose data we keep. Another or an empty one is away, never 'all keys revoked'."""
        command = ("HMGET", self._meta, "instance", "schema")
        await connection.send_packed_command([_pack(command)], check_health=False)
        reply = await _read(connection)
        if isinstance(reply, Exception):
            raise reply
        found, schema = reply
        if self.instance is not None and found != self.instance.encode():
            what = "an empty store" if found is None else "another gateway's store"
            raise StoreAway(
                f"{what} answers where this gateway's data was; bring the data back (`gateway restore`), or take this "
                "store with `gateway serve --adopt`"
            )
        if schema is not None and int(schema) > SCHEMA:
            raise StoreAway(
                f"the store's data has schema {int(schema)}, of a newer gateway; this one knows {SCHEMA}: upgrade it"
            )

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)

    def _count(self, started: float, commands: int) -> None:
        self._observe(self._clock() - started)
        self.pipelines += 1
        self.commands += commands


def _pack(command: Command) -> bytes:
    packed: bytes = pack_command(tuple(command))  # type: ignore[arg-type]  # hiredis's stub declares a tuple of one
    return packed


async def _read(connection: AbstractConnection) -> Reply:
    """One reply; an error reply is returned, since the replies after it are still to be read."""
    try:
        return await connection.read_response(disable_decoding=True, timeout=math.inf)
    except exceptions.ResponseError as error:
        return error


def _answer(answer: asyncio.Future[Reply], reply: Reply) -> None:
    if answer.done():
        return
    if not isinstance(reply, Exception):
        answer.set_result(reply)
    elif isinstance(reply, exceptions.NoScriptError):
        answer.set_exception(reply)
    else:
        failure = StoreAway(f"The accounting store refused a command ({reply}).", retry_after=1.0)
        failure.__cause__ = reply
        answer.set_exception(failure)


def _fail(batch: Iterable[_Waiting], failure: StoreAway) -> None:
    for item in batch:
        if not item.answer.done():
            item.answer.set_exception(failure)
