"""The table of client dialects."""

from gateway.surfaces import SURFACES


def test_surfaces_each_path_has_its_dialect() -> None:
    chat = SURFACES["/v1/chat/completions"]
    assert (chat.name, chat.id_prefix) == ("chat", "chatcmpl-")
    call = chat.parse({"model": "m", "messages": [{"role": "user", "content": "hi"}]})
    assert call.surface == chat.name
    assert chat.stream(call, "chatcmpl-1", 1, "m").start().startswith(b"data: {")
