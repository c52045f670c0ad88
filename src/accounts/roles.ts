/** What a person may do by their role: the same scopes that a key has, so that every door asks one question. */
import type { ApiKeyScope, MemberRole } from "../../schema/enums";

/** INFER is in none of them: the relay takes API keys only, because it charges to a key. */
const scopesByRole: Readonly<Record<MemberRole, ReadonlySet<ApiKeyScope>>> = {
  OWNER: new Set(["READ", "WRITE", "ADMIN"]),
  ADMIN: new Set(["READ", "WRITE"]),
  VIEWER: new Set(["READ"]),
};

export function scopesOf(role: MemberRole): ReadonlySet<ApiKeyScope> {
  return scopesByRole[role];
}
