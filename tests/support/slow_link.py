"""A way to a store that can be made slow: a unix socket in front of it, answers through which come late."""

import asyncio
import threading
from pathlib import Path
from typing import Self


class SlowLink:
    """Relays between its own socket and the store's; `seconds` is by how much every answer is late."""

    def __init__(self, folder: Path, store: Path) -> None:
        self.seconds = 0.0
        self.socket = folder / "slow"
        self.url = f"unix://{self.socket}"
        self._store = store
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))

    def __enter__(self) -> Self:
        self._thread.start()
        while not self.socket.exists():
            threading.Event().wait(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()
        self._loop.close()

    async def _serve(self) -> None:
        server = await asyncio.start_unix_server(self._relay, self.socket)
        await self._over.wait()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0.05)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened = [writer]
        tasks: set[asyncio.Future[None]] = set()
        try:
            from_store, to_store = await asyncio.open_unix_connection(self._store)
            opened.append(to_store)
            tasks.add(asyncio.ensure_future(self._pass_on(reader, to_store, is_late=False)))
            tasks.add(asyncio.ensure_future(self._pass_on(from_store, writer, is_late=True)))
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        except (OSError, asyncio.CancelledError):  # no store there, or the end
            pass
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for each in opened:
                each.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_late: bool) -> None:
        while piece := await reader.read(65536):
            if is_late and self.seconds:
                await asyncio.sleep(self.seconds)
            writer.write(piece)
