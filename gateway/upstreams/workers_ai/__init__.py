"""Cloudflare Workers AI: the native run API, its answers, streams and refusals. Pure translation."""

from gateway.core.contracts import Upstream
from gateway.upstreams.workers_ai.answers import completion
from gateway.upstreams.workers_ai.events import stream
from gateway.upstreams.workers_ai.outbound import request
from gateway.upstreams.workers_ai.refusals import failure

WORKERS_AI = Upstream(request=request, completion=completion, stream=stream, failure=failure)
