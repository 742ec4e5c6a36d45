"""The parts of the API's answers that the command line shows. Unknown fields are passed over."""

from decimal import Decimal

import msgspec


class DrainUpTo(msgspec.Struct):
    """How far a drain goes."""

    tokens: int | None = None
    seconds: int | None = None


class Ruled(msgspec.Struct, kw_only=True):
    """What a project or key says of how its requests are treated; None where it says nothing."""

    allowed_models: list[str] | None = None
    allowed_routes: list[str] | None = None
    default_route: str | None = None
    on_disconnect: str | None = None
    drain_up_to: DrainUpTo | None = None
    on_store_down: str | None = None
    on_revoke: str | None = None
    log_content: bool | None = None
    queue_weight: int | None = None
    tags: dict[str, str] = {}


class Project(Ruled, kw_only=True):
    """A project."""

    id: str
    name: str
    created_at: int
    status: str


class Account(msgspec.Struct):
    """A service account: the owner of keys."""

    id: str
    name: str


class KeyOwner(msgspec.Struct):
    """Whose key it is."""

    service_account: Account | None = None


class Key(Ruled, kw_only=True):
    """A virtual key."""

    id: str
    name: str
    redacted_value: str
    created_at: int
    project_id: str
    owner: KeyOwner
    disabled: bool = False
    last_used_at: int | None = None
    expires_at: int | None = None
    revoked_at: int | None = None


class AdminKey(msgspec.Struct):
    """A key of the admin API."""

    id: str
    name: str
    redacted_value: str
    created_at: int
    role: str
    scope: str
    expires_at: int | None = None
    last_used_at: int | None = None


class IssuedKey(msgspec.Struct):
    """A fresh key with its secret."""

    id: str
    value: str
    previous_valid_until: int | None = None


class NewAccount(msgspec.Struct):
    """A fresh service account with its first key."""

    id: str
    api_key: IssuedKey


class Enforcement(msgspec.Struct):
    """Whether a budget is refusing requests now."""

    status: str


class SpendLimit(msgspec.Struct):
    """A hard budget, in cents."""

    threshold_amount: Decimal
    used_amount: Decimal
    interval: str
    enforcement: Enforcement


class KindLimit(msgspec.Struct):
    """A limit of any kind, in the kind's unit; `id` is the scope's."""

    id: str
    scope: str
    kind: str
    window: str
    limit: int
    used: int
    held: int
    remaining: int
    resets_at: int | None
    model: str | None = None


class UsageResult(msgspec.Struct):
    """Tokens of one group."""

    input_tokens: int
    output_tokens: int
    num_model_requests: int
    cost_nano: int
    neurons: Decimal
    neuron_cost_nano: int
    num_client_gone: int
    tag: str | None = None
    project_id: str | None = None
    api_key_id: str | None = None
    model: str | None = None


class UsageBucket(msgspec.Struct):
    """Tokens of a day."""

    start_time: int
    results: list[UsageResult]


class Channel(msgspec.Struct):
    """Whom a spend alert names."""

    recipients: list[str]
    subject_prefix: str | None = None


class SpendAlert(msgspec.Struct):
    """An amount at which to tell somebody, in cents."""

    id: str
    threshold_amount: Decimal
    interval: str
    notification_channel: Channel


class RaisedAlert(msgspec.Struct):
    """An alert that was raised."""

    id: str
    type: str
    created_at: int
    message: str


class AuditActor(msgspec.Struct):
    """Who acted."""

    name: str
    ip_address: str | None = None
    user_agent: str | None = None


class AuditChange(msgspec.Struct):
    """What one record was and is; None where there was or is none."""

    before: dict[str, msgspec.Raw] | None = None
    after: dict[str, msgspec.Raw] | None = None


class AuditTarget(msgspec.Struct):
    """What was acted on; `message` says why it was refused."""

    id: str
    message: str | None = None


class AuditEntry(msgspec.Struct):
    """One act of an administrator."""

    id: str
    type: str
    effective_at: int
    actor: AuditActor
    outcome: str
    changes: list[AuditChange]


class Attempt(msgspec.Struct):
    """One upstream call."""

    model: str
    end: str
    prompt_tokens: int
    completion_tokens: int
    cost_nano: int
    usage_source: str
    latency_ms: int


class Row(msgspec.Struct):
    """One request in the ledger."""

    id: str
    created: int
    project_id: str
    api_key_id: str
    requested_model: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    cost_nano: int
    usage_source: str
    price_source: str
    end_reason: str
    status: int
    latency_ms: int
    attempts: list[Attempt]
    route: str
    reason: str
    tags: dict[str, str]
    neurons: Decimal | None = None
    neurons_source: str | None = None
    ttft_ms: int | None = None
    queued_ms: int = 0


class LedgerRow(msgspec.Struct):
    """One request as it is exported: everything the API says of it."""

    id: str
    created: int
    created_ms: int
    project_id: str
    api_key_id: str
    surface: str
    requested_model: str
    route: str
    reason: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    cost_nano: int
    usage_source: str
    price_source: str
    end_reason: str
    status: int
    stream: bool
    latency_ms: int
    upstream: str
    attempts: list[dict[str, msgspec.Raw]]
    tags: dict[str, str]
    neurons: Decimal | None = None
    neurons_source: str | None = None
    ttft_ms: int | None = None
    queued_ms: int = 0


class NeuronDay(msgspec.Struct):
    """Neurons of a day beside what the account has free, nano-dollars beside the price book's."""

    start_time: int
    neurons: Decimal
    free_neurons: int
    billed_nano: int
    forecast_neurons: Decimal | None = None
    exhausted_at: int | None = None


class Health(msgspec.Struct):
    """What usage can be split by, and whether the simulator answers."""

    rollup_tags: list[str]
    is_demo: bool
