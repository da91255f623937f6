"""What a person pastes to send a client through Turnlog. Facts of the clients, each with the reason for the line."""

from __future__ import annotations

YOUR_KEY = "<your Turnlog key>"


def connection_lines(base_url: str, *, keyed: bool) -> list[tuple[str, str]]:
    """(client, text to paste) for each client; `base_url` without a trailing slash or `/v1`."""
    return [
        ("Claude Code", claude_code(base_url, keyed)),
        ("Codex, in ~/.codex/config.toml", codex(base_url, keyed)),
        ("Anthropic SDKs", anthropic_sdk(base_url, keyed)),
        ("OpenAI SDKs", openai_sdk(base_url, keyed)),
    ]


def claude_code(base_url: str, keyed: bool) -> str:
    lines = [
        f"export ANTHROPIC_BASE_URL={base_url}",
        "# sends an id with every prompt, so that the turns of one prompt are found together",
        "export CLAUDE_CODE_GATEWAY_HINT_HEADERS=1",
        "# tool search is off behind any base URL but the provider's own",
        "export ENABLE_TOOL_SEARCH=true",
    ]
    if keyed:
        lines += ["# opens the gateway, which puts the provider's key in its place", key("ANTHROPIC_AUTH_TOKEN")]
    return "\n".join(lines)


def codex(base_url: str, keyed: bool) -> str:
    whose = "your Turnlog key" if keyed else "your own key"
    lines = [
        "# Codex does not read OPENAI_BASE_URL: it needs a provider of its own, named above every [table]",
        'model_provider = "turnlog"',
        "",
        "[model_providers.turnlog]",
        'name = "Turnlog"',
        f'base_url = "{base_url}/v1"',
        "# the only wire format Codex speaks",
        'wire_api = "responses"',
        f"# the variable with {whose}",
        'env_key = "OPENAI_API_KEY"',
    ]
    return "\n".join(lines)


def anthropic_sdk(base_url: str, keyed: bool) -> str:
    lines = ["# the SDK adds /v1 itself", f"export ANTHROPIC_BASE_URL={base_url}"]
    return "\n".join([*lines, key("ANTHROPIC_AUTH_TOKEN")] if keyed else lines)


def openai_sdk(base_url: str, keyed: bool) -> str:
    lines = ["# the SDK does not add /v1", f"export OPENAI_BASE_URL={base_url}/v1"]
    return "\n".join([*lines, key("OPENAI_API_KEY")] if keyed else lines)


def key(variable: str) -> str:
    return f"export {variable}='{YOUR_KEY}'"
