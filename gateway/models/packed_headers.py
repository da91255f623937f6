"""Header pairs as a JSON column holds them: `{"z1": base64}`, the pairs' JSON compressed by a dictionary.

Most of what clients and providers send in headers is the same with every turn, and took a sixth of its room; of two
kilobytes this leaves some hundred bytes. Pairs that were stored as they are, before there was this, are read as ever.
"""

from __future__ import annotations

import base64
import json
import threading
from functools import lru_cache
from typing import Any

KEY = "z1"
LEVEL = 9
MAGIC = b"\x28\xb5\x2f\xfd"
LARGEST = 1 << 24
# What is stored is read by these bytes: they stay as they are. Another dictionary takes another key.
DICTIONARY = (
    rb'[["Content-Type","text/event-stream; charset=utf-8"],["Cache-Control","no-cache"],["x-request-id'
    rb'","req_01"],["openai-organization",""],["openai-processing-ms","345"],["openai-version","2020-10'
    rb'-01"],["x-ratelimit-limit-requests","10000"],["x-ratelimit-limit-tokens","2000000"],["x-ratelimi'
    rb't-remaining-requests","9999"],["x-ratelimit-remaining-tokens","1999000"],["x-ratelimit-reset-req'
    rb'uests","6ms"],["x-ratelimit-reset-tokens","30ms"],["cf-ray","-FRA"],["server","cloudflare"]]'
    rb'[["x-codex-beta-features","remote_compaction_v2"],["x-codex-window-id",":0"],["x-codex-turn-meta'
    rb'data","{\"installation_id\":\"\",\"session_id\":\"\",\"thread_id\":\"\",\"agent_name\":\"/root\"'
    rb",\"turn_id\":\"\",\"window_id\":\":0\",\"window_number\":0,\"context_window_id\":\"\",\"request_"
    rb"kind\":\"turn\",\"history_initialization\":\"new\",\"root_turn_id\":\"\",\"thread_source\":\"use"
    rb"r\",\"turn_trigger\":\"exec\",\"sandbox\":\"none\",\"sandbox_mode\":\"danger-full-access\",\"aut"
    rb"o_review_enabled\":false,\"node_repl_auto_review_required\":false,\"node_repl_disabled\":false,"
    rb"\"turn_started_at_unix_ms\":,\"analytics_enabled\":true,\"model\":\"gpt-5.5\",\"reasoning_effort"
    rb'\":\"medium\"}"],["x-client-request-id",""],["session-id",""],["thread-id",""],["accept","text/e'
    rb'vent-stream"],["content-type","application/json"],["authorization",""],["originator","codex_exec'
    rb'"],["user-agent","codex_exec/0.169.0 (Debian 12.0.0; x86_64) dumb (codex_exec; 0.169.0)"]]'
    rb'[["Content-Type","text/event-stream; charset=utf-8"],["Cache-Control","no-cache"],["request-id",'
    rb'"req_01"],["anthropic-organization-id",""],["anthropic-ratelimit-requests-limit","4000"],["anthr'
    rb'opic-ratelimit-requests-remaining","3999"],["anthropic-ratelimit-requests-reset","2026-11-T:00Z"'
    rb'],["anthropic-ratelimit-input-tokens-limit","2000000"],["anthropic-ratelimit-input-tokens-remain'
    rb'ing","1999000"],["anthropic-ratelimit-output-tokens-limit","400000"],["anthropic-ratelimit-outpu'
    rb't-tokens-remaining","400000"],["anthropic-ratelimit-unified-status","allowed"],["anthropic-ratel'
    rb'imit-unified-5h-status","allowed"],["anthropic-ratelimit-unified-5h-reset","1795"],["anthropic-r'
    rb'atelimit-unified-5h-utilization","0.42"],["anthropic-ratelimit-unified-7d-status","allowed"],["a'
    rb'nthropic-ratelimit-unified-7d-reset","1795"],["anthropic-ratelimit-unified-7d-utilization","0.17'
    rb'"],["anthropic-ratelimit-unified-representative-claim","five_hour"],["anthropic-ratelimit-unifie'
    rb'd-fallback-percentage","0.5"],["anthropic-ratelimit-unified-reset","1795"],["anthropic-ratelimit'
    rb'-unified-overage-status","rejected"],["anthropic-ratelimit-unified-overage-disabled-reason","org'
    rb'_level_disabled"],["strict-transport-security","max-age=31536000; includeSubDomains; preload"],['
    rb'"server","cloudflare"],["cf-ray","-FRA"],["cf-cache-status","DYNAMIC"],["via","1.1 google"],["x-'
    rb'robots-tag","none"],["x-envoy-upstream-service-time","812"],["set-cookie","__cf_bm=; path=/; Htt'
    rb'pOnly; Secure"]]'
    rb'[["Accept","application/json"],["Authorization",""],["Content-Type","application/json"],["User-A'
    rb'gent","claude-cli/2.1.329 (external, sdk-cli)"],["X-Claude-Code-Session-Id",""],["X-Stainless-Ar'
    rb'ch","x64"],["X-Stainless-Lang","js"],["X-Stainless-OS","Linux"],["X-Stainless-Package-Version","'
    rb'0.128.0"],["X-Stainless-Retry-Count","0"],["X-Stainless-Runtime","node"],["X-Stainless-Runtime-V'
    rb'ersion","v26.12.1"],["X-Stainless-Timeout","600"],["anthropic-beta","claude-code-20250219,interl'
    rb"eaved-thinking-2025-05-14,context-management-2025-06-27,per-turn-control-2026-07-01,mid-conversa"
    rb"tion-tool-changes-2026-07-01,thinking-token-count-2026-05-13,advanced-tool-use-2025-11-20,effort"
    rb'-2025-11-24,thinking-display-updates-2026-08-18"],["anthropic-dangerous-direct-browser-access","'
    rb'true"],["anthropic-version","2023-06-01"],["x-app","cli"],["Connection","keep-alive"],["Accept-E'
    rb'ncoding","gzip, deflate, br, zstd"]]'
)


class BadHeaders(ValueError):
    """What is stored cannot be decompressed."""


class Codecs(threading.local):
    """zstandard's objects may not be used by two threads at once."""

    def __init__(self) -> None:
        # Takes memory that a process which reads no history need not spend.
        import zstandard

        dictionary = zstandard.ZstdCompressionDict(DICTIONARY, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
        dictionary.precompute_compress(level=LEVEL)
        self.compressor = zstandard.ZstdCompressor(level=LEVEL, dict_data=dictionary)
        self.decompressor = zstandard.ZstdDecompressor(dict_data=dictionary)


@lru_cache(maxsize=1)
def codecs() -> Codecs:
    return Codecs()


def compress(value: Any) -> bytes:
    return codecs().compressor.compress(json.dumps(value, separators=(",", ":")).encode())


def decompress(data: bytes) -> Any:
    """What `compress` was given; JSON that was never compressed is read as well. Raises BadHeaders."""
    import zstandard

    try:
        if data.startswith(MAGIC):
            if zstandard.frame_content_size(data) > LARGEST:
                raise BadHeaders("the compressed headers announce too many bytes")
            data = codecs().decompressor.decompress(data)
        return json.loads(data)
    except zstandard.ZstdError as error:
        raise BadHeaders(f"the compressed headers are damaged: {error}") from error


def pack_json(value: Any) -> dict[str, str]:
    return {KEY: base64.b64encode(compress(value)).decode()}


def unpack_json(value: Any) -> Any:
    """What `pack_json` was given; anything else as it is. Raises BadHeaders, ValueError."""
    if not isinstance(value, dict) or set(value) != {KEY}:
        return value
    return decompress(base64.b64decode(value[KEY]))
