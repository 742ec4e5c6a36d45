"""An OpenAI-compatible gateway to Llama 8B models on Cloudflare Workers AI."""

__version__ = "0.1.0"
