/** Two people for one act: who somebody is, and that the second is no second name of the first. */
import type { EntityManager } from "typeorm";
import { ApiKey } from "../../entities/api-key";
import { Member } from "../../entities/member";
import type { Viewer } from "../accounts/viewer";
import { DomainError } from "../platform/errors";

/** The person, or the key that a program acts by. Errors: FORBIDDEN for neither. */
export function actorOf({ memberId, keyId }: Viewer): string {
  const actor = memberId ?? keyId;
  if (actor === null) throw new DomainError("FORBIDDEN", "This takes a person or a key.");
  return actor;
}

/**
 * Whoever may make keys and members could make the second one for the purpose, and a key that replaces another is in the
 * same hands. Errors: FORBIDDEN when this is the first, its successor or predecessor, or came after the first acted.
 */
export async function requireSecondPerson(
  tx: EntityManager,
  viewer: Viewer,
  first: { actor: string; at: Date },
): Promise<void> {
  const second = actorOf(viewer);
  const sameHands = () =>
    new DomainError("FORBIDDEN", "Whoever began this cannot confirm it: another person or key has to.");
  if (second === first.actor) throw sameHands();
  if (viewer.memberId === null) {
    const replaces = (id: string, rotatedFromId: string) => tx.existsBy(ApiKey, { id, rotatedFromId });
    if ((await replaces(second, first.actor)) || (await replaces(first.actor, second))) throw sameHands();
  }
  const row =
    viewer.memberId === null ? await tx.findOneBy(ApiKey, { id: second }) : await tx.findOneBy(Member, { id: second });
  if (row !== null && row.createdAt < first.at) return;
  throw new DomainError("FORBIDDEN", "Who confirms must have been a member, or a key, before the first person acted.");
}
