"""A compiled fake of the Workers AI run endpoint: nginx with Lua, so that the upstream is never the bottleneck.

It answers like the real one (envelope with usage; streams of variant B for most models, of variant E for `-fast`). The
prompt says how: `[delay=MS chunks=N pace=MS]` anywhere in the body, each part optional. Peers that use Cloudflare's
OpenAI-compatible endpoint, `…/ai/v1/chat/completions`, find that, too.
"""

import contextlib
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import free_port, running, wait_for_port

_MODULES = Path("/usr/lib/nginx/modules")
ACCOUNT = "00000000000000000000000000000000"

_CONFIGURATION = """\
load_module MODULES/ndk_http_module.so;
load_module MODULES/ngx_http_lua_module.so;
worker_processes WORKERS;
daemon off;
pid FOLDER/nginx.pid;
error_log FOLDER/error.log warn;
events { worker_connections 16384; }
http {
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 3600s;
  client_body_buffer_size 1m;
  client_max_body_size 16m;
  client_body_temp_path FOLDER/body;
  proxy_temp_path FOLDER/proxy;
  fastcgi_temp_path FOLDER/fastcgi;
  uwsgi_temp_path FOLDER/uwsgi;
  scgi_temp_path FOLDER/scgi;
  lua_package_path "FOLDER/?.lua;/usr/share/lua/5.1/?.lua;;";
  init_by_lua_block { require "answers" }
  server {
    listen 127.0.0.1:PORT backlog=16384 reuseport;
    location / { content_by_lua_block { require("answers").run() } }
  }
}
"""

_ANSWERS = r"""
local M = {}
local words = {" over", " the", " lazy", " dog", " and", " then", " goes", " home"}
local usage = '"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}'

local text = {}
for i = 1, 60 do text[i] = words[i % 8 + 1] end
text = table.concat(text)
local whole = '{"result":{"response":"' .. text .. '","tool_calls":[],' .. usage:format(200, 61, 261)
  .. '},"success":true,"errors":[],"messages":[]}'

local compatible = '{"id":"1","object":"chat.completion","created":1791402526,"model":"llama","choices":[{"index":0,'
  .. '"finish_reason":"stop","message":{"role":"assistant","content":"' .. text .. '"}}],'
  .. usage:format(200, 61, 261) .. '}'

local function event(fast, i)
  local word, pad = words[i % 8 + 1], ("abcdefghijklmnopqrstuvwxyz0123456789"):sub(1, 8 + i % 28)
  if not fast then
    return 'data: {"response":"' .. word .. '","p":"' .. pad .. '"}\n\n'
  end
  return 'data: {"choices":[{"delta":{"content":"' .. word .. '","reasoning_content":null},"finish_reason":null,'
    .. '"index":0,"logprobs":null}],"created":1791402526,"id":"f962191d3d2f47418286b60056319eb5",'
    .. '"model":"@cf/meta/llama-3.1-8b-fast-v2","object":"chat.completion.chunk","p":"' .. pad .. '",'
    .. usage:format(i == 1 and 200 or 0, 1, i == 1 and 201 or 1) .. '}\n\n'
end

local function tail(fast, chunks, openai)
  local finish = fast and 'data: {"choices":[{"delta":{},"finish_reason":"stop","index":0}],'
    .. '"object":"chat.completion.chunk"}\n\n' or 'data: {"response":""}\n\n'
  local last = openai and 'data: {"choices":[],"object":"chat.completion.chunk",' or 'data: {"response":"",'
  return finish .. last .. usage:format(200, chunks + 1, chunks + 201) .. '}\n\ndata: [DONE]\n\n'
end

function M.run()
  ngx.req.read_body()
  local body = ngx.req.get_body_data() or ""
  local delay = tonumber(body:match("%[[^%]]*delay=(%d+)"))
  if delay then ngx.sleep(delay / 1000) end
  ngx.header["cf-ai-neurons"] = "1.98"
  local openai = ngx.var.uri:sub(-17) == "/chat/completions"
  if not body:find('"stream":%s*true') then
    ngx.header.content_type = "application/json"
    ngx.header.content_length = openai and #compatible or #whole
    ngx.print(openai and compatible or whole)
    return
  end
  local chunks = tonumber(body:match("%[[^%]]*chunks=(%d+)")) or 20
  local pace = (tonumber(body:match("%[[^%]]*pace=(%d+)")) or 0) / 1000
  local fast = openai or ngx.var.uri:sub(-5) == "-fast"
  ngx.header.content_type = "text/event-stream"
  for i = 1, chunks do
    ngx.print(event(fast, i))
    ngx.flush(true)
    if pace > 0 then ngx.sleep(pace) end
  end
  ngx.print(tail(fast, chunks, openai))
end

return M
"""


@dataclass(slots=True, frozen=True)
class Upstream:
    """The running fake. `base_url` is what the gateway's configuration takes."""

    pid: int
    port: int

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/client/v4"

    def run_url(self, model: str) -> str:
        """Where a model of the fake answers when nothing is in between."""
        return f"{self.base_url}/accounts/{ACCOUNT}/ai/run/{model}"


@contextlib.contextmanager
def fake_upstream(folder: Path, workers: int = 1) -> Iterator[Upstream]:
    """The fake, listening. Raises FileNotFoundError where nginx or its Lua module is not installed."""
    if not (_MODULES / "ngx_http_lua_module.so").exists():
        raise FileNotFoundError("the fake upstream needs nginx with Lua: apt-get install nginx libnginx-mod-http-lua")
    folder.mkdir()
    port = free_port()
    text = _CONFIGURATION.replace("MODULES", str(_MODULES)).replace("FOLDER", str(folder))
    text = text.replace("PORT", str(port)).replace("WORKERS", str(workers))
    (folder / "nginx.conf").write_text(text)
    (folder / "answers.lua").write_text(_ANSWERS)
    log = folder / "output.log"
    with running(["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")], log=log) as pid:
        wait_for_port(port, pid, log)
        yield Upstream(pid, port)


def nginx_version() -> str:
    """As the server calls itself."""
    found = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=False)
    match = re.search(r"nginx/\S+", found.stderr)
    return match.group() if match else "unknown"
