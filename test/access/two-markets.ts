/** Two sets of parties who have nothing to do with each other, each with a row in every table that holds tenants' rows; written past every door. */
import { randomUUID } from "node:crypto";
import type { Database } from "../../src/platform/database";

export type PartyKind = "provider" | "startup" | "partner";

export interface Market {
  /** Organisation ids. */
  readonly provider: string;
  readonly startup: string;
  readonly partner: string;
  readonly facility: string;
  readonly drawdown: string;
  readonly endpoint: string;
  /** The market's row of each table, by the value of `keyOf`. */
  readonly rows: Readonly<Record<string, string>>;
}

/** Whose the rows of a table are: these parties see their market's, all others see none. */
export const parties: Readonly<Record<string, readonly PartyKind[]>> = {
  organisation: ["provider"],
  member: ["provider"],
  api_key: ["startup"],
  session: ["startup"],
  idempotency_key: ["partner"],
  audit_event: ["provider"],
  endpoint: ["provider"],
  offering: ["provider"],
  capacity_window: ["provider"],
  sla_minute: ["provider"],
  sla_breach: ["provider"],
  facility: ["partner"],
  servicing_fee: ["partner"],
  coverage_alert: ["partner"],
  credit_use: ["partner"],
  block: ["partner"],
  block_lot: ["partner"],
  provider_claim: ["provider"],
  statement: ["provider"],
  statement_line: ["provider"],
  statement_dispute: ["provider"],
  credit_note: ["provider"],
  project: ["startup"],
  budget: ["startup"],
  budget_period: ["startup"],
  budget_alert: ["startup"],
  payout_account: ["provider"],
  payout: ["provider"],
  payout_attempt: ["provider"],
  payout_approval: ["provider"],
  drawdown: ["partner", "startup"],
  credit_lot: ["partner", "startup"],
  ledger_account: ["partner", "startup"],
  // A wallet's is the startup's alone, whoever funded it.
  entry: ["startup"],
  usage_record: ["startup", "provider"],
  routing_decision: ["startup", "provider"],
  workload_file: ["startup"],
  workload_file_chunk: ["startup"],
  workload_file_line: ["startup"],
  workload_job: ["startup", "provider"],
  workload_capture: ["startup", "provider"],
  outbox_event: ["provider"],
};

/** The column that tells rows apart here, where it is not the id. */
export const keyOf = (table: string): string =>
  ({
    idempotency_key: "key",
    sla_minute: "endpoint_id",
    block_lot: "block_id",
    entry: "transfer_id",
    budget_period: "budget_id",
    servicing_fee: "facility_id",
    credit_use: "facility_id",
    workload_file_chunk: "file_id",
    workload_file_line: "file_id",
  })[table] ?? "id";

export async function aMarket(db: Database): Promise<Market> {
  const rows: Record<string, string> = {};
  const put = async (table: string, row: Record<string, unknown>): Promise<string> => {
    const full: Record<string, unknown> = keyOf(table) !== "id" ? row : { id: randomUUID(), ...row };
    await insert(db, table, full);
    rows[table] = String(full[keyOf(table)]);
    return rows[table]!;
  };
  const at = "2026-11-01T10:00:00Z";
  const organisation = (kind: string) => put("organisation", { kind, name: kind, created_at: at, version: 1 });
  const [startup, partner] = [await organisation("STARTUP"), await organisation("CAPITAL_PARTNER")];
  const provider = await organisation("PROVIDER");
  await put("member", {
    organisation_id: provider,
    email: "a@b.example",
    display_name: "A",
    role: "OWNER",
    created_at: at,
    version: 1,
  });
  const key = await put("api_key", {
    organisation_id: startup,
    name: "k",
    prefix: "exg_",
    digest: bytes(),
    scopes: ["READ"],
    persisted_only: false,
    created_at: at,
    version: 1,
  });
  const project = await put("project", { startup_id: startup, name: "p", created_at: at, version: 1 });
  const budget = await put("budget", {
    startup_id: startup,
    project_id: project,
    period: "TOTAL",
    amount_nano_credit: 1,
    hard_stop: true,
    thresholds_ppm: [800_000],
    created_at: at,
    version: 1,
  });
  await put("budget_period", {
    budget_id: budget,
    period: "TOTAL",
    limit_nano_credit: 1,
    hard_stop: true,
    ceiling_nano_credit: 1,
  });
  await put("budget_alert", {
    budget_id: budget,
    startup_id: startup,
    period: "TOTAL",
    threshold_ppm: 800_000,
    limit_nano_credit: 1,
    spent_nano_credit: 1,
    at,
  });
  const window = { created_at: at, last_seen_at: at, expires_at: "2027-01-01T00:00:00Z" };
  await put("session", {
    organisation_id: startup,
    key_id: key,
    digest: bytes(),
    scopes: ["READ"],
    persisted_only: false,
    ...window,
    version: 1,
  });
  await put("idempotency_key", {
    organisation_id: partner,
    key: randomUUID(),
    operation: "draw",
    fingerprint: "f",
    result: {},
    created_at: at,
  });
  const actor = { organisation_id: provider, actor_organisation_id: provider };
  await put("audit_event", {
    at,
    ...actor,
    action: "endpoint.move",
    subject_type: "Endpoint",
    subject_id: randomUUID(),
    change: {},
  });
  const place = { accelerator: "H100", region: "eu-north", zone: "a" };
  const endpoint = await put("endpoint", {
    provider_id: provider,
    name: "e",
    kind: "INFERENCE",
    tenancy: "SHARED",
    base_url: `https://${randomUUID()}.example`,
    ca_pem: "pem",
    ...place,
    gpu_count: 8,
    slots: 8,
    sla_tier: "STANDARD",
    state: "LIVE",
    created_at: at,
    version: 1,
  });
  const speed = {
    prefill_tokens_per_gpu_second: 1,
    decode_tokens_per_gpu_second: 1,
    context_length: 1,
    max_output_tokens: 1,
  };
  const offering = await put("offering", {
    endpoint_id: endpoint,
    model: "m",
    upstream_model: "m",
    architecture: "chat",
    ...speed,
    state: "LIVE",
    created_at: at,
    version: 1,
  });
  await put("capacity_window", {
    provider_id: provider,
    ...place,
    kind: "BASELINE",
    gpu_count: 8,
    starts_at: at,
    created_at: at,
    version: 1,
  });
  await put("sla_minute", {
    endpoint_id: endpoint,
    minute: at,
    requests: 1,
    failed: 0,
    ttft_samples: 0,
    within_100_ms: 0,
    within_200_ms: 0,
    within_500_ms: 0,
    probes: 0,
    probes_failed: 0,
  });
  await put("sla_breach", { endpoint_id: endpoint, kind: "UPTIME", sla_tier: "STANDARD", opened_at: at, evidence: {} });
  const facility = await put("facility", {
    capital_partner_id: partner,
    name: "f",
    limit_nano_usd: 1000,
    drawn_nano_usd: 10,
    multiplier_ppm: 1_250_000,
    state: "OPEN",
    opened_at: at,
    version: 1,
  });
  const drawdown = await put("drawdown", {
    facility_id: facility,
    startup_id: startup,
    funded_nano_usd: 8,
    drawn_at: at,
  });
  const account = await put("ledger_account", {
    name: randomUUID(),
    ledger: "CRD",
    kind: "WALLET_LOT",
    organisation_id: startup,
    facility_id: facility,
    lot_id: randomUUID(),
    issued_nano_credit: 10,
    priority: 100,
    frozen: 0,
    multiplier_ppm: 1_250_000,
    limited: true,
    debits_pending: 0,
    debits_posted: 0,
    credits_pending: 0,
    credits_posted: 10,
    created_at: at,
  });
  await put("entry", {
    account_id: account,
    seq: 1,
    version: 1,
    transfer_id: randomUUID(),
    group_id: drawdown,
    code: "ISSUANCE",
    side: "CREDIT",
    posted: 10,
    pending: 0,
    debits_pending: 0,
    debits_posted: 0,
    credits_pending: 0,
    credits_posted: 10,
    booked_at: at,
    recorded_at: at,
  });
  await put("credit_lot", {
    drawdown_id: drawdown,
    facility_id: facility,
    startup_id: startup,
    account_id: account,
    issued_nano_credit: 10,
    multiplier_ppm: 1_250_000,
    issued_at: at,
  });
  await put("servicing_fee", {
    facility_id: facility,
    period: "2026-10",
    drawn_nano_usd: 8,
    fee_ppm: 10_000,
    amount_nano_usd: 1,
    charged_at: at,
  });
  await put("coverage_alert", {
    subject: facility,
    facility_id: facility,
    ratio_ppm: 1,
    floor_ppm: 1_000_000,
    backing_nano_usd: 1,
    outstanding_nano_credit: 1,
    worst_cost_ppm: 1,
    opened_at: at,
  });
  await put("credit_use", {
    facility_id: facility,
    startup_id: startup,
    hour: at,
    accelerator: "H100",
    region: "eu-north",
    sla_tier: "STANDARD",
    requests: 1,
    spent_nano_credit: 1,
  });
  const block = await put("block", {
    scope: "FACILITY",
    capital_partner_id: partner,
    facility_id: facility,
    reason: "DISPUTE",
    state: "LIFTED",
    placed_by_id: partner,
    placed_at: at,
    version: 1,
  });
  await put("block_lot", {
    block_id: block,
    lot_account_id: account,
    frozen: false,
    blocked_nano_credit: 0,
    assigned_nano_credit: 0,
    assigned_backing_nano_usd: 0,
    assignments: 0,
  });
  const fixing = randomUUID();
  await insert(db, "fixing", {
    id: fixing,
    accelerator: "H100",
    region: fixing,
    hour: at,
    price_nano_usd: 1,
    flags: [],
    components: [],
    created_at: at,
  });
  await put("provider_claim", {
    provider_id: provider,
    endpoint_id: endpoint,
    offering_id: offering,
    request_id: randomUUID(),
    attempt: 1,
    attempted_at: at,
    claimed_prompt_tokens: 1,
    claimed_completion_tokens: 1,
    fixing_id: fixing,
    share_ppm: 850_000,
    claimed_nano_usd: 1,
    bound_nano_usd: 1,
    bounded_by: "CLAIM",
    amount_nano_usd: 1,
    state: "SUBMITTED",
    submitted_at: at,
    version: 1,
  });
  const statement = await put("statement", {
    provider_id: provider,
    period: "2026-10",
    state: "DISPUTED",
    total_nano_usd: 0,
    drafted_at: at,
    review_ends_at: at,
    due_at: at,
    version: 1,
  });
  const line = await put("statement_line", {
    statement_id: statement,
    kind: "TRUE_UP",
    amount_nano_usd: 1,
    requests: 0,
    gpu_nanos: 0,
    created_at: at,
  });
  await put("statement_dispute", {
    statement_id: statement,
    line_id: line,
    provider_id: provider,
    state: "OPEN",
    reason: "r",
    opened_at: at,
    opened_by: provider,
  });
  const payoutAccount = await put("payout_account", {
    provider_id: provider,
    state: "PROPOSED",
    country: "DE",
    bic: "COBADEFF",
    holder_sealed: bytes(),
    iban_sealed: bytes(),
    iban_end: "3000",
    proposed_by: provider,
    proposed_at: at,
    version: 1,
  });
  const payout = await put("payout", {
    statement_id: statement,
    provider_id: provider,
    period: "2026-10",
    state: "SUBMITTED",
    amount_nano_usd: 10_000_000,
    carried_in_nano_usd: 0,
    remainder_nano_usd: 0,
    attempt: 1,
    due_at: at,
    scheduled_at: at,
    version: 1,
  });
  await put("payout_attempt", {
    payout_id: payout,
    number: 1,
    key: `${statement}-1`,
    rail: "PAIN_001",
    account_id: payoutAccount,
    amount_nano_usd: 10_000_000,
    state: "SUBMITTED",
    run_id: randomUUID(),
    submitted_at: at,
  });
  await put("payout_approval", {
    payout_id: payout,
    account_id: payoutAccount,
    approved_by: randomUUID(),
    approved_at: at,
  });
  await put("credit_note", {
    provider_id: provider,
    statement_id: statement,
    amount_nano_usd: 1,
    remaining_nano_usd: 1,
    reason: "r",
    created_at: at,
    created_by: provider,
  });
  const served = { startup_id: startup, model: "m", endpoint_id: endpoint };
  const counted = {
    held_nano_credit: 1,
    workload: "INFERENCE",
    segment: "UNSPECIFIED",
    prompt_tokens: 1,
    completion_tokens: 1,
    usage_bounded: false,
    gpu_nanos: 1,
    charge_nano_credit: 1,
    accrual_nano_usd: 1,
    spread_nano_usd: 0,
    accrual_share_ppm: 1,
    attempts: 1,
    streamed: false,
    duration_ms: 1,
  };
  await put("usage_record", {
    ...served,
    ...counted,
    api_key_id: key,
    provider_id: provider,
    offering_id: offering,
    fixing_id: randomUUID(),
    rate_card_id: randomUUID(),
    accelerator: "H100",
    region: "eu-north",
    period: "2026-11",
    outcome: "COMPLETED",
    completed_at: at,
  });
  await put("routing_decision", {
    ...served,
    outcome: "SERVED",
    provider_ids: [provider],
    candidates: [],
    attempts: [],
    candidate_count: 1,
    decided_at: at,
  });
  const file = await put("workload_file", {
    startup_id: startup,
    purpose: "BATCH",
    filename: "f",
    bytes: 1,
    chunk_count: 1,
    line_count: 1,
    faults: [],
    created_at: at,
  });
  await put("workload_file_chunk", { file_id: file, number: 0, content: bytes() });
  const asked = { custom_id: "c", url: "u", model: "m", prompt_bytes: 1, choices: 1, hides_output: false };
  await put("workload_file_line", { file_id: file, line: 1, ...asked });
  const nothing = [
    "line_count answered_count error_count upstream_output_read upstream_step fixing_nano_usd_per_gpu_hour prefill_tokens_per_gpu_second",
    "decode_tokens_per_gpu_second gpu_count max_output_tokens prompt_tokens_bound completion_tokens_bound prompt_tokens",
    "completion_tokens held_nano_credit captured_nano_credit stage_count failures",
  ].flatMap((names) => names.split(" "));
  const job = await put("workload_job", {
    ...Object.fromEntries(nothing.map((name) => [name, 0])),
    startup_id: startup,
    api_key_id: key,
    kind: "BATCH",
    state: "RUNNING",
    model: "m",
    terms: {},
    input_file_id: file,
    provider_id: provider,
    endpoint_id: endpoint,
    usage_bounded: false,
    uncaptured: false,
    created_at: at,
    ends_by: at,
    next_poll_at: at,
    faults: [],
    request_digest: "",
    version: 1,
  });
  await put("workload_capture", { job_id: job, stage: 1, charge_nano_credit: 0, captured_at: at });
  await put("outbox_event", { topic: "sla.breach.opened", organisation_id: provider, payload: {}, created_at: at });
  return { provider, startup, partner, facility, drawdown, endpoint, rows };
}

const bytes = (): string => `\\x${randomUUID().replaceAll("-", "")}`;

/** Of a table, by JSON: as whoever acts. */
export async function insert(db: Database, table: string, row: Record<string, unknown>): Promise<void> {
  const columns = Object.keys(row).join(", ");
  await db.source.query(
    `INSERT INTO ${table} (${columns}) SELECT ${columns} FROM jsonb_populate_record(NULL::${table}, $1)`,
    [JSON.stringify(row)],
  );
}
