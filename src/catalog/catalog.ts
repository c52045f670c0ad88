/** The door to what is offered: accelerators, providers' endpoints, and the models at them. */
import type { EntityManager } from "typeorm";
import { Accelerator } from "../../entities/accelerator";
import { Endpoint } from "../../entities/endpoint";
import { Offering } from "../../entities/offering";
import { Organisation } from "../../entities/organisation";
import type { EndpointState, OfferingState } from "../../schema/enums";
import { organisationScope, ownerOfNew, owns, requireKind, requireScope, type Viewer } from "../accounts/viewer";
import { type Change, changed, made, recordAct } from "../audit/audit";
import type { EventBus } from "../events/event-bus";
import type { Clock } from "../platform/clock";
import type { Database } from "../platform/database";
import { DomainError, notFound } from "../platform/errors";
import { isId, newId } from "../platform/ids";
import { checked, checkVersion, existingId, violatesUnique } from "../platform/input";
import { fetchPage, type Page, type PageRequest } from "../platform/page";
import { readRows } from "../platform/rows";
import { transaction } from "../platform/transaction";
import type { EgressPolicy } from "../upstreams/egress-guard";
import {
  canonicalBaseUrl,
  certificatesOf,
  endpointFields,
  type NewEndpoint,
  type NewOffering,
  offeringFields,
} from "./endpoint-input";
import { endpointMoves } from "./endpoint-states";
import { checkMove } from "./moves";
import { offeringMoves } from "./offering-states";

export type { NewEndpoint, NewOffering } from "./endpoint-input";

export interface EndpointFilter {
  providerId?: string | null | undefined;
  accelerator?: string | null | undefined;
  region?: string | null | undefined;
  state?: EndpointState | null | undefined;
}

export interface OfferingFilter {
  providerId?: string | null | undefined;
  endpointId?: string | null | undefined;
  model?: string | null | undefined;
  state?: OfferingState | null | undefined;
}

/** What the audit trail tells of a new one. */
const namedOfEndpoint = ["name", "kind", "tenancy", "baseUrl", "accelerator", "region", "slaTier"] as const;
const namedOfOffering = ["endpointId", "model", "upstreamModel"] as const;

export class Catalog {
  private readonly db: Database;
  private readonly bus: EventBus;
  private readonly clock: Clock;
  private readonly egress: EgressPolicy;

  constructor(dependencies: { db: Database; bus: EventBus; clock: Clock; egress: EgressPolicy }) {
    this.db = dependencies.db;
    this.bus = dependencies.bus;
    this.clock = dependencies.clock;
    this.egress = dependencies.egress;
  }

  /** Public. */
  accelerators(): Promise<Accelerator[]> {
    return readRows(this.db, Accelerator, "ORDER BY code");
  }

  /** Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT, UPSTREAM_URL_REFUSED, ALREADY_EXISTS (the URL). */
  async registerEndpoint(viewer: Viewer | null, input: NewEndpoint): Promise<Endpoint> {
    const known = requireScope(viewer, "WRITE");
    const providerId = ownerOfNew(known, "PROVIDER", { field: "providerId", id: input.providerId });
    const endpoint: Endpoint = {
      id: newId(),
      providerId,
      ...checked(endpointFields, input),
      kind: input.kind,
      tenancy: input.tenancy,
      baseUrl: canonicalBaseUrl(input.baseUrl, this.egress),
      caPem: certificatesOf(input.caPem),
      accelerator: input.accelerator,
      slaTier: input.slaTier,
      state: "REGISTERED",
      createdAt: this.clock.now(),
      version: 1,
    };
    try {
      await transaction(this.db, async (tx) => {
        await requireListed(tx, input.accelerator);
        const provider = await tx.findOneBy(Organisation, { id: providerId, kind: "PROVIDER" });
        if (provider === null) throw notFound("provider", "providerId");
        await tx.insert(Endpoint, endpoint);
        await this.record(tx, known, "register", endpoint, made(endpoint, ...namedOfEndpoint));
      });
    } catch (error) {
      if (!violatesUnique(error, "endpoint_base_url_key")) throw error;
      throw new DomainError("ALREADY_EXISTS", "An endpoint with this base URL is registered already.", {
        field: "baseUrl",
      });
    }
    this.supplyChanged();
    return endpoint;
  }

  /** Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, VERSION_CONFLICT, STATE_CONFLICT. */
  async moveEndpoint(
    viewer: Viewer | null,
    id: string,
    to: EndpointState,
    expectedVersion?: number | null,
  ): Promise<Endpoint> {
    const known = requireKind(viewer, "WRITE", "PROVIDER", "OPERATOR");
    const moved = await transaction(this.db, async (tx) => {
      const endpoint = await ownEndpoint(tx, known, id);
      checkVersion(endpoint, expectedVersion);
      checkMove(endpointMoves, endpoint.state, to, known.kind);
      const change = { state: to, version: endpoint.version + 1 };
      await tx.update(Endpoint, { id }, change);
      await this.record(tx, known, "move", endpoint, changed(endpoint, change));
      return Object.assign(endpoint, change);
    });
    this.supplyChanged();
    return moved;
  }

  /** Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT, STATE_CONFLICT, ALREADY_EXISTS (the model there). */
  async publishOffering(viewer: Viewer | null, input: NewOffering): Promise<Offering> {
    const known = requireKind(viewer, "WRITE", "PROVIDER", "OPERATOR");
    const offering: Offering = {
      id: newId(),
      endpointId: input.endpointId,
      ...checked(offeringFields, input),
      state: "STAGED",
      createdAt: this.clock.now(),
      version: 1,
    };
    try {
      await transaction(this.db, async (tx) => {
        const endpoint = await ownEndpoint(tx, known, input.endpointId);
        if (endpoint.state === "RETIRED") throw new DomainError("STATE_CONFLICT", "The endpoint is RETIRED.");
        await tx.insert(Offering, offering);
        await this.recordOffering(tx, known, "publish", { offering, endpoint }, made(offering, ...namedOfOffering));
      });
    } catch (error) {
      if (!violatesUnique(error, "offering_endpoint_model_key")) throw error;
      throw new DomainError("ALREADY_EXISTS", `${offering.model} is declared at this endpoint already.`, {
        field: "model",
      });
    }
    this.supplyChanged();
    return offering;
  }

  /** Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, VERSION_CONFLICT, STATE_CONFLICT. */
  async moveOffering(
    viewer: Viewer | null,
    id: string,
    to: OfferingState,
    expectedVersion?: number | null,
  ): Promise<Offering> {
    const known = requireKind(viewer, "WRITE", "PROVIDER", "OPERATOR");
    const moved = await transaction(this.db, async (tx) => {
      const offering = await tx.findOne(Offering, {
        where: { id: existingId(id, "offering") },
        lock: { mode: "pessimistic_write" },
      });
      const endpoint = offering && (await tx.findOneBy(Endpoint, { id: offering.endpointId }));
      if (!offering || !endpoint || !owns(known, endpoint.providerId)) throw notFound("offering");
      checkVersion(offering, expectedVersion);
      checkMove(offeringMoves, offering.state, to, known.kind);
      const change = { state: to, version: offering.version + 1 };
      await tx.update(Offering, { id }, change);
      await this.recordOffering(tx, known, "move", { offering, endpoint }, changed(offering, change));
      return Object.assign(offering, change);
    });
    this.supplyChanged();
    return moved;
  }

  /** A provider's own, an operator's all. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT (page). */
  async endpoints(viewer: Viewer | null, page: PageRequest, filter: EndpointFilter = {}): Promise<Page<Endpoint>> {
    const providerId = providerScope(viewer, filter.providerId);
    const { accelerator, region, state } = filter;
    const query = this.db.source.getRepository(Endpoint).createQueryBuilder("endpoint");
    if (providerId !== null) query.andWhere("endpoint.providerId = :providerId", { providerId });
    if (accelerator != null) query.andWhere("endpoint.accelerator = :accelerator", { accelerator });
    if (region != null) query.andWhere("endpoint.region = :region", { region });
    if (state != null) query.andWhere("endpoint.state = :state", { state });
    return fetchPage(this.db, query, page);
  }

  /** A provider's own, an operator's all. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT (page). */
  async offerings(viewer: Viewer | null, page: PageRequest, filter: OfferingFilter = {}): Promise<Page<Offering>> {
    const providerId = providerScope(viewer, filter.providerId);
    const { endpointId, model, state } = filter;
    const query = this.db.source.getRepository(Offering).createQueryBuilder("offering");
    if (providerId !== null) {
      query.innerJoin(Endpoint, "endpoint", "endpoint.id = offering.endpointId");
      query.andWhere("endpoint.providerId = :providerId", { providerId });
    }
    if (endpointId != null) {
      query.andWhere("offering.endpointId = :endpointId", { endpointId: existingId(endpointId, "endpoint") });
    }
    if (model != null) query.andWhere("offering.model = :model", { model });
    if (state != null) query.andWhere("offering.state = :state", { state });
    return fetchPage(this.db, query, page);
  }

  /** Loader sources: in no order, unknown ids left out, nobody authorised. */
  endpointsByIds(ids: readonly string[]): Promise<Endpoint[]> {
    return readRows(this.db, Endpoint, "WHERE id = ANY ($1)", [ids.filter(isId)]);
  }

  endpointsByProviderIds(ids: readonly string[]): Promise<Endpoint[]> {
    return readRows(this.db, Endpoint, "WHERE provider_id = ANY ($1) ORDER BY id DESC", [ids.filter(isId)]);
  }

  offeringsByIds(ids: readonly string[]): Promise<Offering[]> {
    return readRows(this.db, Offering, "WHERE id = ANY ($1)", [ids.filter(isId)]);
  }

  offeringsByEndpointIds(ids: readonly string[]): Promise<Offering[]> {
    return readRows(this.db, Offering, "WHERE endpoint_id = ANY ($1) ORDER BY id DESC", [ids.filter(isId)]);
  }

  private record(tx: EntityManager, viewer: Viewer, verb: string, endpoint: Endpoint, change: Change): Promise<void> {
    const { id: subjectId, providerId: organisationId } = endpoint;
    const act = { action: `endpoint.${verb}`, subjectType: "Endpoint", subjectId, organisationId, change } as const;
    return recordAct(tx, viewer, { at: this.clock.now(), ...act });
  }

  private recordOffering(
    tx: EntityManager,
    viewer: Viewer,
    verb: string,
    { offering, endpoint }: { offering: Offering; endpoint: Endpoint },
    change: Change,
  ): Promise<void> {
    const { providerId: organisationId } = endpoint;
    const subject = { subjectType: "Offering", subjectId: offering.id } as const;
    const at = this.clock.now();
    return recordAct(tx, viewer, { at, action: `offering.${verb}`, ...subject, organisationId, change });
  }

  private supplyChanged(): void {
    this.bus.publish("supply.changed", {});
  }
}

/** Startups and capital partners never see who serves what. */
function providerScope(viewer: Viewer | null, asked: string | null | undefined): string | null {
  return organisationScope(requireKind(viewer, "READ", "PROVIDER", "OPERATOR"), "READ", asked);
}

async function ownEndpoint(tx: EntityManager, viewer: Viewer, id: string): Promise<Endpoint> {
  const endpoint = await tx.findOne(Endpoint, {
    where: { id: existingId(id, "endpoint") },
    lock: { mode: "pessimistic_write" },
  });
  if (endpoint === null || !owns(viewer, endpoint.providerId)) throw notFound("endpoint");
  return endpoint;
}

async function requireListed(tx: EntityManager, code: string): Promise<void> {
  const accelerator = await tx.findOneBy(Accelerator, { code });
  if (accelerator?.status === "LISTED") return;
  const why = accelerator === null ? "is not an accelerator that we know" : `is ${accelerator.status}, not yet LISTED`;
  throw new DomainError("BAD_USER_INPUT", `accelerator: ${JSON.stringify(code.slice(0, 40))} ${why}`, {
    field: "accelerator",
  });
}
