"""OpenAI's chat completions as a client dialect: the parts are put together here and nowhere else."""

from gateway.core.contracts import Surface
from gateway.surfaces.chat.answer import render
from gateway.surfaces.chat.parse import SURFACE, parse
from gateway.surfaces.chat.stream import ChatStream

CHAT = Surface(name=SURFACE, parse=parse, render=render, stream=ChatStream, id_prefix="chatcmpl-")
