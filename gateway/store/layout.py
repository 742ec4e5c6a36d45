"""Where everything lies in the store. Every key name of the gateway is made here.

`{o}` is the organisation's hash tag: whatever one Lua step touches shares a slot. Rows and their indexes stand
outside it: they are many, and written by plain idempotent commands.

| key                      | type   | what |
|--------------------------|--------|------|
| gw:{o}:meta              | hash   | instance (random id of this store's data), schema |
| gw:{o}:org               | hash   | v (version), data (JSON of records.Organization) |
| gw:{o}:project:<id>      | hash   | v, data (records.Project) |
| gw:{o}:key:<sha256>      | hash   | v, data (records.Key) |
| gw:{o}:key_hashes        | hash   | key id → sha256 of its secret |
| gw:{o}:admin_key:<sha256> | hash  | v, data (records.AdminKey) |
| gw:{o}:admin_key_hashes  | hash   | admin key id → sha256 of its secret |
| gw:{o}:admin_keys        | zset   | admin key id, score created |
| gw:{o}:admin_keys_used   | hash   | admin key id → when it was last used (unix s) |
| gw:{o}:projects          | zset   | project id, score created (unix s) |
| gw:{o}:project_keys:<id> | zset   | key id, score created |
| gw:{o}:accounts:<id>     | hash   | service account id → JSON, of a project |
| gw:{o}:holds             | hash   | request id → msgpack: what is reserved |
| gw:{o}:leases            | zset   | request id, score lease end (ms of the store's clock) |
| gw:{o}:expired           | hash   | request id → msgpack of an expired hold: a late receipt corrects it |
| gw:{o}:expired_at        | zset   | the ids of `expired`, score ms of expiry: trims it after a week |
| gw:{o}:rowless           | hash   | id (expired row to be written) or id! (to be corrected to nothing) → msgpack |
| gw:{o}:tombstones        | zset   | ids settled lately, score ms: a hold that comes after its settle is refused |
| gw:{o}:applied           | hash   | spool uuid → last entry applied |
| gw:{o}:spent:<scope>     | hash   | counters u:<kind>:<window> (used) and h:<kind>:<window> (held; of limited ones); |
|                          |        | r:<kind>:<window> → msgpack: the slots of a rolling limit (_books.lua) |
| gw:{o}:use:h:<hour>      | hash   | roll-up of an hour (unix s of its start), field project|key|model |
| gw:{o}:use:d:<day>       | hash   | roll-up of a UTC day (unix s of its start), field project|key|model |
| gw:{o}:use:p:<day>       | hash   | roll-up of a UTC day by hour, field hour|project|model |
| gw:{o}:use:t:<day>       | hash   | roll-up of a UTC day by hour and tag, field hour|project|model|name=value |
| gw:{o}:pace:<day>        | hash   | how fast answers came: model|f<step>, model|r<step> → streams (core.pace) |
| gw:{o}:pace:<day>:<project> | hash | the same, of one project |
| gw:{o}:session:<sha256>  | string | a browser session by its token's hash (JSON of dashboard.sessions) |
| gw:{o}:signins:<m>:<who> | string | sign-in attempts in a minute (unix s / 60): of an address, or of all |
| gw:{o}:verification      | hash   | what the continuous check knows of the books: cursor, found, drift, verified_at |
| gw:{o}:verification_lease | string | the worker that checks the books now; gone a minute after it died |
| gw:{o}:reconciliation    | hash   | the last one: day (unix s), ours, theirs (nano-neurons: the provider's) |
| gw:{o}:repair_lease      | string | the repair under way |
| gw:{o}:audit             | stream | acts of administrators, the latest 50,000 (organization.change) |
| gw:{o}:spend_alerts:<scope> | hash | spend alert id → JSON (core.alerts), of o or p:<project> |
| gw:{o}:alerts            | stream | raised alerts, the latest 1,000 (alerts.queue) |
| gw:{o}:alerts_delivered  | string | the place in `alerts` up to which all are delivered |
| gw:{o}:alert_claims      | zset   | alerts raised in windows that go on, score the window's end (ms) |
| gw:{o}:alerts_lease      | string | the worker that watches budgets and delivers alerts |
| gw:{o}:audit_refused     | stream | acts they were refused, the latest 5,000 (organization.audit) |
| gw:{o}:fleet             | hash   | what workers know of models: note → moment and fact; version (learn.lua) |
| gw:{o}:govern:<model>    | hash   | a rate of the account: worker → permits used and in hand, level (govern.lua) |
| gw:{o}:lengths           | hash   | key id → by route, how many answers and their mean length in tokens (JSON) |
| gw:{o}:opening           | hash   | opening balance: sums of trimmed rows, field project|key|model |
| gw:{o}:opening_state     | hash   | first, cut (unix s), pending (JSON of ids), version, rows: trimmed so far |
| gw:row:<id>              | string | JSON of records of one request (core.receipt.Receipt) |
| gw:rows                  | zset   | row id, score created_ms |
| gw:rows:p:<project>      | zset   | the same, of one project |
| gw:rows:k:<key id>       | zset   | the same, of one key |

A counter's scope is o, p:<project> or k:<key id>. A roll-up field's value is `requests prompt completion cached
cost_nano neurons_nano failed client_gone`, decimal integers separated by blanks.
"""

from dataclasses import dataclass
from datetime import UTC, tzinfo


@dataclass(slots=True, frozen=True)
class Layout:
    """Key names under one prefix (`store.prefix`) for one organisation.

    `zone` is the calendar by which days, weeks and months are counted: it is part of the counters' field names.
    """

    prefix: str = "gw:"
    organization: str = "default"
    zone: tzinfo = UTC

    def shared(self, *parts: str | int) -> str:
        """A key in the organisation's slot: `gw:{default}:a:b`."""
        return f"{self.prefix}{{{self.organization}}}:" + ":".join(str(part) for part in parts)

    def project(self, project_id: str) -> str:
        return self.shared("project", project_id)

    def admin_key(self, key_hash: str) -> str:
        """An admin key's record, by the SHA-256 of its secret."""
        return self.shared("admin_key", key_hash)

    def key(self, key_hash: str) -> str:
        return self.shared("key", key_hash)

    def spent(self, scope: str) -> str:
        """Counters of a scope: `o`, `p:<project id>` or `k:<key id>`."""
        return self.shared("spent", scope)

    def row(self, request_id: str) -> str:
        return f"{self.prefix}row:{request_id}"

    def rows(self, scope: str = "") -> str:
        """Index of rows by time: all, or of `p:<project id>` or `k:<key id>`."""
        return f"{self.prefix}rows:{scope}" if scope else f"{self.prefix}rows"
