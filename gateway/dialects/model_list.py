"""A provider's list of models, read from whichever shape it has and written in the shape of the caller's dialect.

What the listing says of a model beside its name (context size, what it takes, what it costs) is kept where a known
field says it; what it does not say stays unknown. Fields: Anthropic's own, and those of OpenRouter, vLLM, chutes.ai,
Groq, Mistral, Together, LM Studio and llama.cpp, none of which OpenAI's own list has.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from gateway.dialects.json_values import JSONObject, NotJSONError, is_object, object_or_none, read_json, text_or_none
from gateway.dialects.names import ProviderDialect
from gateway.dialects.profile import Profile

_CONTEXTS: Final = (
    "context_length", "max_model_len", "context_window", "max_context_length", "loaded_context_length", "n_ctx_train",
    "max_input_tokens",
)  # fmt: skip
_OUTPUTS: Final = ("max_completion_tokens", "max_output_tokens", "max_tokens", "max_output_length")
_FEATURES: Final = ("supported_features", "features", "supported_parameters", "supported_sampling_parameters")
_THINKING: Final = frozenset({"thinking", "extended_thinking", "reasoning", "include_reasoning"})
_TOOLS: Final = frozenset({"tools", "tool_calling", "function_calling", "tool_use"})
_PER_MILLION: Final = 1_000_000
MOST_LISTED: Final = 1000


class ListedModel(msgspec.Struct, frozen=True):
    """One model as its provider lists it. `raw` is its JSON as it came. None: the listing does not say.

    `vision`, `thinking`, `tools`: whether it can. Prices are US dollars for a million tokens.
    """

    id: str
    raw: str
    dialect: ProviderDialect
    display_name: str = ""
    created: int | None = None
    owner: str = ""
    context_window: int | None = None
    max_output: int | None = None
    vision: bool | None = None
    thinking: bool | None = None
    tools: bool | None = None
    input_price: float | None = None
    output_price: float | None = None


def read_model_list(body: bytes, dialect: ProviderDialect) -> list[ListedModel] | None:
    """The models of `{"data": [...]}`, or of a bare list as some engines give it; None when it is no listing."""
    try:
        value = read_json(body).value
    except NotJSONError:
        return None
    entries = value.get("data", value.get("models")) if is_object(value) else value
    if not isinstance(entries, list):
        return None
    return [_read_model(entry, dialect) for entry in entries if is_object(entry) and _name(entry)]


def next_page(body: bytes) -> str | None:
    """The id to go on after, when the list says that there is more."""
    try:
        value = read_json(body).value
    except NotJSONError:
        return None
    return text_or_none(value.get("last_id")) if is_object(value) and value.get("has_more") is True else None


def _name(entry: JSONObject) -> str:
    return text_or_none(entry.get("id")) or text_or_none(entry.get("name")) or ""


def _read_model(entry: JSONObject, dialect: ProviderDialect) -> ListedModel:
    features = _features(entry)
    top = object_or_none(entry.get("top_provider")) or {}
    meta = object_or_none(entry.get("meta")) or {}
    prices = _prices(entry)
    return ListedModel(
        id=_name(entry),
        raw=msgspec.json.encode(entry).decode(),
        dialect=dialect,
        display_name=text_or_none(entry.get("display_name")) or text_or_none(entry.get("name")) or "",
        created=_created(entry),
        owner=text_or_none(entry.get("owned_by")) or "",
        context_window=_first_count(_CONTEXTS, entry, top, meta),
        max_output=_first_count(_OUTPUTS, top, entry),
        vision=_vision(entry),
        thinking=_capability(entry, "thinking", features, _THINKING),
        tools=_capability(entry, "tools", features, _TOOLS),
        input_price=prices[0],
        output_price=prices[1],
    )


def _features(entry: JSONObject) -> frozenset[str] | None:
    """All that its lists of features name, in lower case; None when it has none."""
    lists = [entry[name] for name in _FEATURES if isinstance(entry.get(name), list)]
    return frozenset(str(item).lower() for items in lists for item in items) if lists else None


def _capability(entry: JSONObject, name: str, features: frozenset[str] | None, words: frozenset[str]) -> bool | None:
    stated = (object_or_none(entry.get("capabilities")) or {}).get(name)
    if isinstance(stated, dict):  # Anthropic's form
        stated = stated.get("supported")
    if isinstance(stated, bool):
        return stated
    return bool(features & words) if features is not None else None


def _vision(entry: JSONObject) -> bool | None:
    architecture = object_or_none(entry.get("architecture")) or {}
    for holder in (architecture, entry):
        modalities = holder.get("input_modalities")
        if isinstance(modalities, list):
            return "image" in modalities
    capabilities = object_or_none(entry.get("capabilities")) or {}
    for name in ("vision", "image_input"):
        stated = capabilities.get(name)
        if isinstance(stated, dict):
            stated = stated.get("supported")
        if isinstance(stated, bool):
            return stated
    return None


def _first_count(names: Sequence[str], *holders: JSONObject) -> int | None:
    values = (holder.get(name) for holder in holders for name in names)
    return next((v for v in values if isinstance(v, int) and not isinstance(v, bool) and v > 0), None)


def _created(entry: JSONObject) -> int | None:
    stated = entry.get("created", entry.get("created_at"))
    if isinstance(stated, str):
        try:
            return int(datetime.fromisoformat(stated).timestamp())
        except ValueError:
            return None
    return int(stated) if isinstance(stated, int | float) and not isinstance(stated, bool) else None


def _prices(entry: JSONObject) -> tuple[float | None, float | None]:
    """chutes.ai gives dollars for a million (`price.input.usd`), OpenRouter for one token (`pricing.prompt`, text)."""
    price = object_or_none(entry.get("price"))
    if price is not None:
        sides = (object_or_none(price.get(side)) or {} for side in ("input", "output"))
        given, taken = (_amount(side.get("usd")) for side in sides)
        return given, taken
    pricing = object_or_none(entry.get("pricing")) or {}
    prompt, completion = _amount(pricing.get("prompt")), _amount(pricing.get("completion"))
    per_token = isinstance(pricing.get("prompt"), str)
    scale = _PER_MILLION if per_token else 1
    return _scaled(prompt, scale), _scaled(completion, scale)


def _amount(value: Any) -> float | None:
    try:
        amount = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else -1.0
    except ValueError:
        return None
    return amount if amount >= 0 else None


def _scaled(amount: float | None, scale: int) -> float | None:
    return None if amount is None else round(amount * scale, 9)


def fit_profile(profile: Profile, listed: ListedModel | None) -> Profile:
    """The provider's profile with what its list says of one model: what that cannot do is not asked of it, and one that
    thinks is asked to in the API's own words where the profile knows no others."""
    if listed is None:
        return profile
    changes: dict[str, Any] = {}
    if listed.vision is False:
        changes["images"] = False
    if listed.tools is False:
        changes["tools"] = False
    if listed.thinking is False:
        changes["reasoning"] = msgspec.structs.replace(profile.reasoning, ask="none")
    elif listed.thinking and profile.reasoning.ask == "none":
        changes["reasoning"] = msgspec.structs.replace(profile.reasoning, ask="reasoning_effort")
    if listed.max_output is not None:
        changes["max_tokens_cap"] = min(listed.max_output, profile.max_tokens_cap or listed.max_output)
    return msgspec.structs.replace(profile, **changes) if changes else profile


def encode_openai_list(models: Iterable[ListedModel]) -> bytes:
    entries = [_openai_entry(model) for model in models]
    return msgspec.json.encode({"object": "list", "data": entries})


def encode_anthropic_list(models: Sequence[ListedModel], *, has_more: bool) -> bytes:
    return msgspec.json.encode(
        {
            "data": [_anthropic_entry(model) for model in models],
            "has_more": has_more,
            "first_id": models[0].id if models else None,
            "last_id": models[-1].id if models else None,
        }
    )


def encode_model(model: ListedModel, dialect: ProviderDialect) -> bytes:
    entry = _anthropic_entry(model) if dialect is ProviderDialect.ANTHROPIC else _openai_entry(model)
    return msgspec.json.encode(entry)


def _openai_entry(model: ListedModel) -> Any:
    if model.dialect is ProviderDialect.OPENAI and model.raw:
        return msgspec.Raw(model.raw.encode())
    entry: JSONObject = {"id": model.id, "object": "model", "created": model.created or 0}
    entry["owned_by"] = model.owner or model.dialect.value
    return entry | _known_limits(model)


def _anthropic_entry(model: ListedModel) -> Any:
    if model.dialect is ProviderDialect.ANTHROPIC and model.raw:
        return msgspec.Raw(model.raw.encode())
    created = datetime.fromtimestamp(model.created or 0, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    entry: JSONObject = {"type": "model", "id": model.id, "display_name": model.display_name or model.id}
    return entry | {"created_at": created} | _known_limits(model)


def _known_limits(model: ListedModel) -> JSONObject:
    limits = {"max_input_tokens": model.context_window, "max_tokens": model.max_output}
    return {name: value for name, value in limits.items() if value is not None}
